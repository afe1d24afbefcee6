"""How many processors this machine grants."""

from __future__ import annotations

import math
import os
from pathlib import Path

_CPU_MAX = Path("/sys/fs/cgroup/cpu.max")  # version 2: "QUOTA PERIOD" or "max PERIOD"
_QUOTA_AND_PERIOD = (Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us"))  # 1


def granted() -> int:
    """Number of threads worth starting: by affinity and by the quota of the control group, at least one."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for files in ((_CPU_MAX,), _QUOTA_AND_PERIOD):
        try:
            quota, period = " ".join(file.read_text() for file in files).split()
            if quota not in ("max", "-1"):
                count = min(count, math.ceil(int(quota) / int(period)))
        except (OSError, ValueError):
            continue
    return max(1, count)
