#!/bin/sh
# boot.sh NAME FOLDER BASE [CGROUP]... -- [OPTION]...: boots BASE by systemd-nspawn, with those options of it, and without ever writing to it;
# ends when the machine is powered off.
# Runs in mount and PID namespaces of its own (see container.ts), so that every mount made here and every process below goes with it, even when it is killed.
set -eu
name=$1 folder=$2 base=$3
shift 3

# Two containers in one cgroup would stop each other's units.
while [ "$1" != -- ]; do
    echo 0 >"$1/cgroup.procs"
    shift
done
shift

# What the machine writes stays in memory; an overlay's upper folder may also not lie on another overlay, as /tmp does in many a CI.
mount -t tmpfs -o mode=0755 tmpfs "$folder"
mkdir "$folder/upper" "$folder/work" "$folder/root"
mount -t overlay -o "lowerdir=$base,upperdir=$folder/upper,workdir=$folder/work" overlay "$folder/root"

# systemd-nspawn keeps locks and mount points here, and leaves them behind when it is killed.
mkdir -p /run/systemd/nspawn
mount -t tmpfs tmpfs /run/systemd/nspawn

export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1
# The masked timers are the ones that would change files or need the Internet in the middle of a test.
boot() {
    systemd-nspawn --boot --directory="$folder/root" --machine="$name" \
        --register=no --keep-unit --private-network --console=read-only \
        --link-journal=no --resolv-conf=off --timezone=off "$@" \
        systemd.show_status=1 systemd.log_color=0 \
        systemd.mask=apt-daily.timer systemd.mask=apt-daily-upgrade.timer systemd.mask=dpkg-db-backup.timer \
        systemd.mask=e2scrub_all.timer systemd.mask=fstrim.timer systemd.mask=systemd-tmpfiles-clean.timer
}

# With --keep-unit, systemd-nspawn leaves a reboot to whoever started it and says so by this exit code.
reboot=133
code=$reboot
while [ "$code" -eq "$reboot" ]; do
    code=0
    boot "$@" || code=$?
done
exit "$code"
