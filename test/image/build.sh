#!/usr/bin/env bash
# Builds the Dockerfile without a container engine and an image registry, and tries the image: `sudo test/image/build.sh`.
# Needs root, debootstrap and buildah. The base is Debian with this machine's Node.js; it takes some minutes.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
work=$(mktemp -d /var/tmp/parley-image.XXXXXX)
chmod 711 "$work"
store=(--root "$work/store" --runroot "$work/run" --storage-driver vfs)
server=
finish() {
  if [ -n "$server" ]; then kill -TERM "$server" 2>/dev/null && wait "$server" 2>/dev/null; fi
  buildah "${store[@]}" rm --all > /dev/null 2>&1
  rm -rf --one-file-system "$work"
}
trap finish EXIT
ok() { echo "ok image: $1"; }
fails() { echo "not ok image: $1"; [ ! -s "$work/server.log" ] || tail -n 40 "$work/server.log"; exit 1; }
until_seconds() { # SECONDS COMMAND...
  local end=$((SECONDS + $1)); shift
  until "$@"; do [ "$SECONDS" -lt "$end" ] || return 1; sleep 0.2; done
}

# --- the base
. /etc/os-release
mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' | awk -v c="$VERSION_CODENAME" '$2 == c { print $1; exit }')
debootstrap --variant=minbase --include=libstdc++6 "$VERSION_CODENAME" "$work/base" "$mirror" > "$work/base.log" 2>&1 ||
  { tail "$work/base.log"; fails 'a base can be made'; }
node=$(node -p process.execPath)
npm=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
install -m 755 "$node" "$work/base/usr/local/bin/node"
mkdir -p "$work/base/usr/local/lib/node_modules" "$work/base/etc/ssl/certs"
cp -r "$npm" "$work/base/usr/local/lib/node_modules/npm"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$work/base/usr/local/bin/npm"
# Whom this machine trusts, the build trusts too.
cp -L /etc/ssl/certs/ca-certificates.crt "$work/base/etc/ssl/certs/"
base=$(buildah "${store[@]}" from scratch)
buildah "${store[@]}" add -q "$base" "$work/base" / > /dev/null
buildah "${store[@]}" config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  --env NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt "$base"
buildah "${store[@]}" commit -q "$base" parley-base > /dev/null
buildah "${store[@]}" rm "$base" > /dev/null
rm -rf "$work/base"
ok 'a base can be made'

# --- the image
buildah "${store[@]}" bud --isolation chroot --format docker --build-arg BASE=localhost/parley-base -t parley "$top" > "$work/build.log" 2>&1 ||
  { tail -n 40 "$work/build.log"; fails 'the Dockerfile builds'; }
ok 'the Dockerfile builds'
buildah "${store[@]}" inspect --type image parley > "$work/image.json"
node "$here/facts.mjs" "$work/image.json"

# --- the image runs: unprivileged, without capabilities, on a read-only root
container=$(buildah "${store[@]}" from parley)
root=$(buildah "${store[@]}" mount "$container")
for gone in npm npx corepack yarn; do
  [ ! -e "$root/usr/local/bin/$gone" ] || fails "no $gone in it"
done
[ ! -e "$root/app/node_modules/typescript" ] || fails 'no compiler in it'
ok 'neither npm nor a compiler is in it'
install -d -o 10001 -g 10001 -m 750 "$work/data"
read -r port tls management < <(node -e "
  const servers = [0, 0, 0].map(() => require('net').createServer().listen(0, '127.0.0.1'))
  setImmediate(() => { console.log(servers.map((s) => s.address().port).join(' ')); servers.forEach((s) => s.close()) })")
cat > "$work/enter.sh" <<'ENTER'
set -eu
root=$1 data=$2; shift 2
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/tmp"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --bind "$data" "$root/data"
# Changing the root needs a capability, so it comes before the user changes.
exec chroot "$root" /usr/bin/setpriv --reuid=10001 --regid=10001 --clear-groups --no-new-privs --bounding-set=-all \
  --inh-caps=-all "$@"
ENTER
enter() { unshare --mount --pid --fork --kill-child=SIGKILL bash "$work/enter.sh" "$root" "$work/data" \
  /usr/bin/env -i PATH=/usr/local/bin:/usr/bin:/bin NODE_ENV=production PARLEY_DATA_DIR=/data HOME=/data \
  PARLEY_SETUP=/data/setup PARLEY_LISTEN__C2S=127.0.0.1:"$port" PARLEY_LISTEN__C2S_TLS=127.0.0.1:"$tls" \
  PARLEY_LISTEN__MANAGEMENT=127.0.0.1:"$management" "$@"; }
enter parley start > "$work/server.log" 2>&1 &
server=$!
healthy() { kill -0 "$server" 2>/dev/null || fails 'it starts'; enter parley health > "$work/health.log" 2>&1; }
until_seconds 90 healthy || { cat "$work/health.log"; fails 'parley health says that it can serve'; }
ok 'starts as 10001 on a read-only root, parley health says that it can serve'
install -d -o 10001 -g 10001 -m 750 "$work/data/setup"
enter parley init --domain example.org > "$work/init.log" 2>&1 || { cat "$work/init.log"; fails 'parley init fills a folder'; }
for made in parley.toml compose.yaml secrets/database_password dns.zone README.txt init.log; do
  [ -s "$work/data/setup/$made" ] || fails "parley init writes $made"
done
grep -q "user: '10001:10001'" "$work/data/setup/compose.yaml" || fails 'the server of compose.yaml runs as who wrote it'
ok 'parley init fills a folder for docker compose'
echo 'a rose by any other name' > "$work/data/password"
chown 10001:10001 "$work/data/password"; chmod 600 "$work/data/password"
enter parley user add ana --password-file /data/password || fails 'a user can be added'
CA=$work/data/tls/localhost.crt node "$here/login.mjs" "$tls" ana 'a rose by any other name' || fails 'a client logs in'
ok 'a client logs in, the certificate verified'
# unshare, which waits for it, does not hand signals on.
kill -TERM "$(pgrep -P "$(pgrep -P "$server" | head -n 1)" | head -n 1)"
status=0; wait "$server" || status=$?
server=
[ "$status" = 0 ] || fails "SIGTERM ends it with exit code 0, not $status"
ok 'SIGTERM ends it with exit code 0'
