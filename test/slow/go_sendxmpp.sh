#!/usr/bin/env bash
# go-sendxmpp: writes over STARTTLS and direct TLS, and listens. The Go library trusts what SSL_CERT_FILE names.
set -u
romeo=$XMPP_A@$XMPP_DOMAIN juliet=$XMPP_B@$XMPP_DOMAIN

ok() { echo "ok $1"; }
not_ok() { echo "not ok $1: ${2:-}"; }
# The library verifies the name that it connects to, so that is the certificate's, not an address.
send() { # FROM PORT TO [OPTION...] < TEXT
  local from=$1 port=$2 to=$3; shift 3
  timeout 60 go-sendxmpp -u "$from" -p "$XMPP_PASSWORD" -j "localhost:$port" "$@" "$to" 2>&1
}
heard() { # SECONDS TEXT: waits until the listener has printed it
  local end=$((SECONDS + $1))
  until grep -qF -- "$2" heard.txt; do
    [ "$SECONDS" -lt "$end" ] && kill -0 "$listener" 2>/dev/null || return 1
    sleep 0.1
  done
}

if said=$(echo 'over STARTTLS' | send "$romeo" "$XMPP_PORT" "$juliet"); then ok 'sends over STARTTLS, certificate verified'
else not_ok 'sends over STARTTLS, certificate verified' "$said"; fi

if said=$(echo 'over TLS' | send "$romeo" "$XMPP_TLS_PORT" "$juliet" -t); then ok 'sends over direct TLS, certificate verified'
else not_ok 'sends over direct TLS, certificate verified' "$said"; fi

if said=$(echo no | SSL_CERT_FILE=$XMPP_STRANGE_CA send "$romeo" "$XMPP_PORT" "$juliet"); then not_ok 'a certificate from elsewhere is noticed'
elif grep -q 'x509' <<< "$said"; then ok 'a certificate from elsewhere is noticed'
else not_ok 'a certificate from elsewhere is noticed' "$said"; fi

timeout 150 go-sendxmpp -l -u "$juliet" -p "$XMPP_PASSWORD" -j "localhost:$XMPP_PORT" > heard.txt 2>&1 &
listener=$!
if heard 30 'over STARTTLS' && heard 30 'over TLS'; then ok 'what came before the login is delivered'
else not_ok 'what came before the login is delivered' "$(cat heard.txt)"; fi

echo 'you are there: <ö>' | send "$romeo" "$XMPP_PORT" "$juliet" > said.txt
if heard 30 'you are there: <ö>'; then ok 'a listener hears what is said'
else not_ok 'a listener hears what is said' "$(cat said.txt heard.txt)"; fi
kill "$listener" 2>/dev/null
wait "$listener" 2>/dev/null
echo done
