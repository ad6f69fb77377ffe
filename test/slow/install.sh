#!/usr/bin/env bash
# install.sh FOLDER: fetches the clients and peers of the slow suites into FOLDER (npm, Python, Maven) and onto the system (apt).
set -u
folder=$1 here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$folder" && cd "$folder" || exit 1

# retry NAME COMMAND...: a registry may be out of reach for a moment.
retry() {
  local name=$1 try; shift
  for try in 1 2 3; do
    timeout 300 "$@" < /dev/null > "$name.log" 2>&1 && return 0
    [ "$try" = 3 ] || sleep $((try * 5))
  done
  echo "$name cannot be installed:"; tail -n 15 "$name.log"
  return 1
}

missing=''
need() { command -v "$1" > /dev/null || missing="$missing $2"; }
need openssl openssl
need buildah buildah
need debootstrap debootstrap
need go-sendxmpp go-sendxmpp
need profanity profanity
need tmux tmux
need java default-jre-headless
need keytool default-jre-headless
need mvn maven
need python3 python3
need prosody prosody
need unbound unbound
need ldns-signzone ldnsutils
[ -x /usr/sbin/ejabberdctl ] || missing="$missing ejabberd"
compgen -G '/usr/lib/*/lua/5.4/lunbound.so' > /dev/null || missing="$missing lua-unbound"
[ -x /usr/lib/postgresql/15/bin/initdb ] || missing="$missing postgresql-15"
for python in python3 /usr/bin/python3; do
  "$python" -c 'import venv, ensurepip' 2> /dev/null || missing="$missing python3-venv"
done
/usr/bin/python3 -c 'import gi; gi.require_version("Gio", "2.0"); gi.require_version("Soup", "3.0")' 2> /dev/null ||
  missing="$missing python3-gi gir1.2-soup-3.0"
compgen -G '/usr/lib/*/gio/modules/libgiognutls.so' > /dev/null || missing="$missing glib-networking"
failed=0
if [ -n "$missing" ]; then
  # The packages of servers start them: not here, where every check starts its own.
  policy=/usr/sbin/policy-rc.d
  [ -e "$policy" ] || { trap 'rm -f "$policy"' EXIT; printf '#!/bin/sh\nexit 101\n' > "$policy"; chmod 755 "$policy"; }
  # shellcheck disable=SC2086
  retry apt-update apt-get update -q &&
    DEBIAN_FRONTEND=noninteractive retry apt apt-get install -q -y --no-install-recommends $missing || failed=1
fi

printf '{ "private": true }\n' > package.json
retry npm npm install --no-audit --no-fund --no-package-lock --loglevel=error @xmpp/client@0.14.0 \
  @xmpp/component@0.13.1 stanza@12.22.1 ws@8.23.0 || failed=1
[ -x venv/bin/pip ] || retry venv python3 -m venv venv || failed=1
retry pip venv/bin/pip install -q --disable-pip-version-check slixmpp==1.17.0 || failed=1
# nbxmpp stands on GLib, whose bindings belong to the system's own Python.
[ -x gi/bin/pip ] || retry gi /usr/bin/python3 -m venv --system-site-packages gi || failed=1
retry pip-gi gi/bin/pip install -q --disable-pip-version-check --no-deps \
  nbxmpp==7.4.0 precis-i18n==1.1.2 packaging==26.3 idna==3.10 || failed=1
retry maven mvn -B -q -f "$here/smack/pom.xml" \
  org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies -DoutputDirectory="$folder/smack" || failed=1
exit "$failed"
