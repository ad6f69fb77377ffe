#!/usr/bin/env bash
# Builds the Dockerfile without a container engine and starts the image: buildah with chroot isolation, on a base made
# with debootstrap and this machine's Node.js. Needs root and Debian's buildah and debootstrap; 2 to 4 minutes.
# Prints "ok ..." for each check and ends with 0 when all hold.
set -u
cd "$(dirname "$0")/../.." || exit 1
top=$PWD
work=$(mktemp -d "${TMPDIR:-/tmp}/parley-image.XXXXXX") || exit 1
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot TMPDIR=$work
store=(--root "$work/storage" --runroot "$work/run")
failed=0 server=''

say() { echo "$*" >&2; }
check() { # NAME COMMAND...
  local name=$1; shift
  if "$@" > "$work/check.log" 2>&1; then echo "ok image: $name"; else
    echo "not ok image: $name"; tail -n 20 "$work/check.log" >&2; failed=1
  fi
}
finish() {
  if [ -n "$server" ] && kill -0 "$server" 2>/dev/null; then
    kill "$server"; timeout 20 tail --pid="$server" -f /dev/null; kill -9 "$server" 2>/dev/null
  fi
  [ -n "${root:-}" ] && umount -l "$root/proc" "$root/dev" 2>/dev/null
  [ -n "${container:-}" ] && buildah "${store[@]}" umount "$container" > /dev/null 2>&1
  buildah "${store[@]}" rm --all > /dev/null 2>&1
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

base() { # a Debian with Node.js and npm under /usr/local, as the official images have them
  local root=$work/base mirror node
  mirror=$(apt-get indextargets --format '$(SITE)' | head -n 1)
  debootstrap --variant=minbase --include=ca-certificates "$(. /etc/os-release && echo "$VERSION_CODENAME")" \
    "$root" "$mirror" || return 1
  node=$(readlink -f "$(command -v node)")
  install -D "$node" "$root/usr/local/bin/node"
  mkdir -p "$root/usr/local/lib/node_modules"
  cp -r "$(npm root --global)/npm" "$root/usr/local/lib/node_modules/"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
  ln -s ../lib/node_modules/npm/bin/npx-cli.js "$root/usr/local/bin/npx"
  # What this machine trusts, so that npm reaches the registry from inside as from outside.
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
  ldd "$node" | awk '/not found/ { print; bad = 1 } END { exit bad }' || return 1
  container=$(buildah "${store[@]}" from scratch) &&
    buildah "${store[@]}" copy -q "$container" "$root" / &&
    buildah "${store[@]}" config --env PATH=/usr/local/bin:/usr/bin:/bin \
      --env NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt "$container" &&
    buildah "${store[@]}" commit -q "$container" parley-base && buildah "${store[@]}" rm "$container" && container=
}

build() {
  local settings=() name
  for name in HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy; do
    [ -n "${!name:-}" ] && settings+=(--env "$name=${!name}")
  done
  git archive HEAD | tar -x -C "$work/context" &&
    buildah "${store[@]}" bud "${settings[@]}" --network host --build-arg BASE=localhost/parley-base -t parley "$work/context"
}

inside=(/usr/bin/env -i PATH=/usr/local/bin:/usr/bin:/bin PARLEY_DATA_DIR=/data NODE_ENV=production)
parley() { # in the image, as its user
  chroot --userspec=10001:10001 "$root" "${inside[@]}" /usr/local/bin/parley "$@"
}
free_port() { node -e "const s = require('net').createServer().listen(0, '127.0.0.1', () => { console.log(s.address().port); s.close() })"; }
ready() { # polls, at most 60 s
  local try
  for try in $(seq 120); do
    parley health > /dev/null 2>&1 && return 0
    kill -0 "$server" 2>/dev/null || break
    sleep 0.5
  done
  cat "$work/server.log"; return 1
}
holds_no_npm() { [ ! -e "$root/usr/local/bin/npm" ] && [ ! -e "$root/usr/local/lib/node_modules" ] && [ ! -e "$root/app/node_modules/typescript" ]; }
added() { echo 'a rose by any other name' | parley user add romeo --password-file -; }
offers_tls() { # STARTTLS is answered with the certificate that the server made
  echo | timeout 20 openssl s_client -connect "127.0.0.1:$port" -starttls xmpp -xmpphost localhost \
    -CAfile "$root/data/tls/localhost.pem" -verify_return_error 2>&1 | grep -q 'Verify return code: 0 (ok)'
}
stops() {
  local status=0
  kill -TERM "$server"; timeout 30 tail --pid="$server" -f /dev/null
  wait "$server" || status=$?
  [ "$status" = 0 ] || { echo "exit code $status"; cat "$work/server.log"; return 1; }
}

mkdir -p "$work/context"
say 'making the base'
base > "$work/base.log" 2>&1 || { tail -n 30 "$work/base.log" >&2; echo 'not ok image: base'; exit 1; }
say 'building'
build > "$work/build.log" 2>&1 || { tail -n 40 "$work/build.log" >&2; echo 'not ok image: build'; exit 1; }
echo 'ok image: build'
container=$(buildah "${store[@]}" from localhost/parley) && root=$(buildah "${store[@]}" mount "$container") || exit 1
port=$(free_port)
inside+=("PARLEY_LISTEN__C2S=127.0.0.1:$port" PARLEY_LISTEN__C2S_TLS=off PARLEY_LISTEN__MANAGEMENT=off)
mount --bind /proc "$root/proc" && mount --bind /dev "$root/dev"

check 'runs as 10001, not as root' test "$(buildah "${store[@]}" inspect --format '{{.OCIv1.Config.User}}' parley)" = 10001:10001
check 'holds neither npm nor the compiler' holds_no_npm
check 'parley version' parley version
# Not through the function: the process to signal is the server itself.
chroot --userspec=10001:10001 "$root" "${inside[@]}" /usr/local/bin/parley start > "$work/server.log" 2>&1 &
server=$!
check 'starts on its embedded database and is healthy' ready
check 'takes a user' added
check 'offers STARTTLS with its certificate' offers_tls
check 'SIGTERM ends it with exit code 0' stops
check 'wrote nothing outside /data and /tmp' test -z "$(find "$root" -xdev -path "$root/data" -prune -o -path "$root/tmp" -prune -o -path "$root/proc" -prune -o -path "$root/dev" -prune -o -newer "$work/build.log" -type f -print)"
exit "$failed"
