#!/usr/bin/env bash
# A real S3 server on loopback for tests: Ceph's radosgw over one monitor and one object daemon that keeps everything in
# memory. Wrong secrets, tampered signatures, bad Content-MD5 and conditional writes are judged as AWS judges them.
# About 170 MB of memory; any number of them run side by side, each in its own folder and on its own ports.
# shellcheck disable=SC1091,SC2034 # what is set here is for server-life.sh, which shellcheck reads on its own
set -euo pipefail
SERVER_NAME=s3-server
PACKAGES=(radosgw ceph-mon ceph-osd ceph-common)
PROGRAMS=(radosgw radosgw-admin ceph ceph-mon ceph-osd)
. "$(dirname "$0")/server-life.sh"

configure() { # FOLDER FSID S3_PORT MON_PORT
  cat >"$1/ceph.conf" <<C
[global]
fsid = $2
mon host = [v2:127.0.0.1:$4]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
keyring = $1/keyring
run dir = $1/run
admin socket = $1/run/\$name.asok
log file = $1/log/\$name.log
pid file = $1/run/\$name.pid
crash dir = $1/log
# One daemon of each kind, no manager, and pools of one placement group in one copy.
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
mon max pg per osd = 1000
mon data avail crit = 0
mon data avail warn = 0
auth allow insecure global id reclaim = false
# A cluster of one need not wait for others to speak: these waits make up most of a default start.
paxos propose interval = 0.02
paxos min wait = 0.01
mon tick interval = 1
[mon.a]
mon data = $1/mon
[osd.0]
osd data = $1/osd
osd objectstore = memstore
memstore device bytes = 8589934592
[client.rgw.a]
rgw frontends = beast endpoint=127.0.0.1:$3 tcp_nodelay=1
rgw data = $1/rgw
rgw dns name = localhost
rgw thread pool size = 32
C
}

launch() {
  local folder=$1 fsid s3_port mon_port
  fsid=$(cat /proc/sys/kernel/random/uuid)
  free_port; s3_port=${S3_PORT:-$chosen_port}
  free_port; mon_port=$chosen_port
  mkdir -p "$folder"/{mon,osd,rgw}
  configure "$folder" "$fsid" "$s3_port" "$mon_port"
  export CEPH_CONF=$folder/ceph.conf CEPH_ARGS=
  (
    set -e
    as=()
    [ "$(id -u)" != 0 ] || as=(--setuser root --setgroup root)
    ceph-authtool --create-keyring "$folder/keyring" --gen-key -n mon. --cap mon 'allow *'
    for entity in client.admin osd.0 client.rgw.a; do
      ceph-authtool "$folder/keyring" --gen-key -n $entity --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
    done
    monmaptool --create --fsid "$fsid" --addv a "[v2:127.0.0.1:$mon_port]" "$folder/monmap"
    ceph-mon --mkfs -i a --monmap "$folder/monmap" --keyring "$folder/keyring" "${as[@]}"
    ceph-mon -i a "${as[@]}"
    osd_id=$(cat /proc/sys/kernel/random/uuid)
    ceph-osd -i 0 --mkfs --osd-uuid "$osd_id" "${as[@]}"
    ceph osd new "$osd_id" 0
    ceph-osd -i 0 "${as[@]}"
    radosgw-admin -n client.rgw.a user create --uid=livestow --display-name=livestow \
      --access-key=livestow-test --secret-key=livestow-test-secret
    radosgw -n client.rgw.a "${as[@]}"
  ) >"$folder/log/start.log" 2>&1 || return 1
  wait_for 60 answers "$s3_port" || return 1
  printf '{"endpoint":"http://127.0.0.1:%s","region":"us-east-1","accessKeyId":"livestow-test","secretAccessKey":"livestow-test-secret"}\n' \
    "$s3_port" >"$folder/server.json"
}

main "$@"
