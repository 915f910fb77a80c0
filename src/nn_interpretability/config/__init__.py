"""What ``config.yaml`` may say: its schema, its checks, and what follows from it before any job runs.

Import from the modules: :mod:`.schema` what is allowed, :mod:`.validate` checking, with one message for all
problems, :mod:`.files` reading, :mod:`.seeds` one seed per stage, :mod:`.devices` GPU or CPU.
"""
