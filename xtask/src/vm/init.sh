#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0 OR MIT
#
# Process 1 of the guest: makes the system usable, loads the driver, runs the command and hands its output and status
# to the host. /vm/config and /vm/command come from the host with each boot.
#
# Channels, all of them virtio-serial ports:
#   vport0p1  control: lines, guest to host `ready`, `failed BYTES` + text, `exited STATUS`, `done STDOUT STDERR` (how
#             many bytes were written to each); host to guest `winsize ROWS COLUMNS` and `bye`
#   vport0p2  the command's standard input        (only with input=1)
#   vport0p3  the command's standard output       (not with tty=1)
#   vport0p4  the command's standard error        (not with tty=1)
#   hvc0      the command's terminal              (only with tty=1)
# busybox runs its own tools whatever is in PATH; hence the path of modprobe, which is to be kmod's. The command gets a
# shell without such ways.
# What this script itself prints goes to the kernel's console.

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root USER=root LOGNAME=root SHELL=/bin/bash

say() { echo "$*" >&3; }

# Waits until the host has read everything, then ends the machine.
power_off() {
    while read -r word rest <&3 && [ "$word" != bye ]; do :; done
    poweroff -f
    # Reached only if the kernel could not.
    echo "the guest cannot power off"
    while :; do sleep 1000; done
}

# Tells the host why the command was not run. The kernel's last messages mostly say it.
fail() {
    { echo "$1"; echo "The kernel's last messages:"; dmesg | tail -n 25; } >/vm/why
    say failed "$(wc -c </vm/why)"
    cat /vm/why >&3
    power_off
}

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir /dev/pts /dev/shm
ln -s /proc/self/fd /dev/fd
ln -s /proc/self/fd/0 /dev/stdin
ln -s /proc/self/fd/1 /dev/stdout
ln -s /proc/self/fd/2 /dev/stderr
[ -d /sys/kernel/config ] || /usr/sbin/modprobe configfs
mount -a

# Built into some kernels and modules in others.
[ -d /sys/bus/pci/drivers/virtio-pci ] || /usr/sbin/modprobe virtio_pci
[ -d /sys/class/virtio-ports ] || /usr/sbin/modprobe virtio_console
tries=0
until [ -c /dev/vport0p1 ]; do
    tries=$((tries + 1))
    if [ $tries -gt 500 ]; then
        echo "no virtio-serial port appeared"
        poweroff -f
    fi
    usleep 10000
done
exec 3<>/dev/vport0p1

# The host's files are the last archive that the kernel unpacks, and this is its last file.
[ -e /vm/complete ] || fail "the guest's memory is too small for the files that were to be copied into it"
rm -f /vm/complete
. /vm/config

echo "$hostname" >/proc/sys/kernel/hostname
ip link set lo up
mkdir /sys/fs/cgroup/command

if [ "$driver" != none ]; then
    message=$(/usr/sbin/modprobe tdx_guest 2>&1) || fail "modprobe tdx_guest: $message"
    # A module built out of the kernel's tree taints it, the distribution's does not: the one that was asked for?
    taint=$(cat /sys/module/tdx_guest/taint)
    case $driver$taint in
        rust*O* | c) ;;
        *) fail "modprobe tdx_guest loaded another driver than the one asked for (wanted $driver, its taint is '$taint')" ;;
    esac
fi
cd /root || fail "no /root"

# Counts what a relay wrote: the kernel adds up the writes of a process and of its children that have ended.
relay() {
    cat <"$1" >"$2"
    while read -r key value; do
        [ "$key" = wchar: ] && echo "$value" >"$3"
    done </proc/self/io
}

if [ "$tty" = 1 ]; then
    export TERM="$term"
    # A terminal forgets its size when nobody has it open.
    exec 4<>/dev/hvc0
    stty -F /dev/hvc0 rows "$rows" cols "$columns"
    say ready
    while read -r word first second <&3; do
        [ "$word" = winsize ] && stty -F /dev/hvc0 rows "$first" cols "$second"
    done 4>&- &
    resize=$!
    (
        echo 0 >/sys/fs/cgroup/command/cgroup.procs
        exec setsid -c /bin/sh /vm/command <&4 >&4 2>&4 3>&- 4>&-
    )
    status=$?
    say exited $status
    kill $resize
    echo 1 >/sys/fs/cgroup/command/cgroup.kill
    say "done" 0 0
    power_off
fi

# Runs the command with this function's own standard input, and ends the machine.
run() {
    # Names instead of pipes of the shell's making, because there are two of them.
    mkfifo -m 666 /vm/out /vm/err
    relay /vm/out /dev/vport0p3 /vm/out.bytes 3>&- &
    out=$!
    relay /vm/err /dev/vport0p4 /vm/err.bytes 3>&- &
    err=$!
    say ready
    (
        echo 0 >/sys/fs/cgroup/command/cgroup.procs
        exec setsid /bin/sh /vm/command >/vm/out 2>/vm/err 3>&-
    )
    status=$?
    say exited $status
    # Processes left behind would keep the pipes open, and the relays read to the end of these.
    echo 1 >/sys/fs/cgroup/command/cgroup.kill
    wait $out $err
    say "done" "$(cat /vm/out.bytes)" "$(cat /vm/err.bytes)"
    power_off
}

# A pipe without a name: one with a name that is opened anew, as /dev/stdin, after its writer has gone would wait for
# another writer.
if [ "$input" = 1 ]; then
    cat </dev/vport0p2 3>&- | run
else
    run </dev/null
fi
