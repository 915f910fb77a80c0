#!/bin/sh
# What has become of a job of Slurm's: running, success or failed, the three words that Snakemake's generic executor knows.
state=$(squeue --noheader --states=all --format=%T --jobs="$1" 2>/dev/null)
# squeue forgets; the accounting, where there is one, does not.
[ -n "$state" ] || state=$(sacct --noheader --allocations --format=State --jobs="$1" 2>/dev/null | cut -d ' ' -f 1)
case "$state" in
    COMPLETED) echo success ;;
    PENDING | CONFIGURING | RUNNING | COMPLETING | SUSPENDED | REQUEUED | REQUEUE_HOLD | RESIZING | SIGNALING) echo running ;;
    *) echo failed ;;
esac
