#!/bin/sh
# What has become of a job of Slurm's: running, success or failed, the three words that Snakemake's generic executor knows.
# Slurm that cannot be asked says nothing about a job, which then goes on. A job that squeue has forgotten (MinJobAge) and
# that no accounting knows counts as failed.
if told=$(squeue --noheader --states=all --format=%T --jobs="$1" 2>&1); then
    state=$told
else
    case "$told" in
        *"Invalid job id"*) state= ;;
        *) state=UNKNOWN ;;
    esac
fi
if [ -z "$state" ]; then
    state=$(sacct --parsable2 --noheader --allocations --format=State --jobs="$1" 2>/dev/null | head -n 1)
fi
case "$state" in
    COMPLETED) echo success ;;
    "" | BOOT_FAIL | CANCELLED* | DEADLINE | FAILED | NODE_FAIL | OUT_OF_MEMORY | PREEMPTED | REVOKED | TIMEOUT) echo failed ;;
    *) echo running ;;
esac
