#!/usr/bin/env bash
# profanity, typed into as by a person: logs in with the certificate verified, meets somebody with go-sendxmpp, chats both ways.
set -u
romeo=$XMPP_A@$XMPP_DOMAIN juliet=$XMPP_B@$XMPP_DOMAIN
tmux=(tmux -L "$$" -f /dev/null)
listener=
trap '"${tmux[@]}" kill-server 2>/dev/null; [ -n "$listener" ] && kill "$listener" 2>/dev/null' EXIT
export TMUX_TMPDIR=$PWD TERM=xterm-256color LANG=C.UTF-8 LC_ALL=C.UTF-8
unset TMUX

ok() { echo "ok $1"; }
not_ok() { echo "not ok $1"; screen; }
screen() { "${tmux[@]}" capture-pane -p 2>&1 | grep -v '^ *$'; }
types() { "${tmux[@]}" send-keys -l "$1"; "${tmux[@]}" send-keys Enter; }
sees() { until_seconds 40 shows "$1"; }
shows() { screen | grep -qF -- "$1"; }
heard() { grep -qF -- "$1" heard.txt; }
until_seconds() { # SECONDS COMMAND...
  local end=$((SECONDS + $1)); shift
  until "$@"; do [ "$SECONDS" -lt "$end" ] || return 1; sleep 0.1; done
}
opens() { # CERTIFICATE: profanity in a window of its own, with settings of its own
  "${tmux[@]}" kill-server 2>/dev/null
  until_seconds 10 eval '! "${tmux[@]}" list-sessions 2>/dev/null'
  rm -rf prof; mkdir -p prof/config/profanity prof/data
  printf '[ui]\nsplash=false\n[connection]\nreconnect=0\n' > prof/config/profanity/profrc
  "${tmux[@]}" new-session -d -x 180 -y 50 \
    "env SSL_CERT_FILE='$1' XDG_CONFIG_HOME=$PWD/prof/config XDG_DATA_HOME=$PWD/prof/data profanity -l ERROR"
  sees 'Type '"'/help'"' to show complete help' || sees 'Profanity'
}

opens "$XMPP_STRANGE_CA"
types "/connect $romeo server 127.0.0.1 port $XMPP_PORT tls force"
sees 'password' && types "$XMPP_PASSWORD"
if sees 'ertificate' && ! shows 'logged in'; then ok 'a certificate from elsewhere is noticed'
else not_ok 'a certificate from elsewhere is noticed'; fi

opens "$XMPP_CA"
types "/connect $romeo server 127.0.0.1 port $XMPP_PORT tls force"
sees 'password' && types "$XMPP_PASSWORD"
if sees 'logged in successfully'; then ok 'STARTTLS, certificate verified'
else not_ok 'STARTTLS, certificate verified'; fi

timeout 200 go-sendxmpp -l -u "$juliet" -p "$XMPP_PASSWORD" -j "localhost:$XMPP_PORT" > heard.txt 2>&1 &
listener=$!
types "/msg $juliet soft, what light?"
if until_seconds 40 heard 'soft, what light?'; then ok 'what is typed arrives'
else not_ok 'what is typed arrives'; cat heard.txt; fi

echo 'deny thy father <ö>' | timeout 60 go-sendxmpp -u "$juliet" -p "$XMPP_PASSWORD" -j "localhost:$XMPP_PORT" "$romeo"
types "/msg $juliet"
if sees 'deny thy father <ö>'; then ok 'what is sent is shown'
else not_ok 'what is sent is shown'; fi

types '/win 1'
types "/roster add $juliet Juliet"
if sees 'Roster item added'; then ok 'a contact is added'
else not_ok 'a contact is added'; fi
types "/ping"
if sees 'esponse from server' || sees 'ing response'; then ok 'the server answers a ping'
else not_ok 'the server answers a ping'; fi
types '/disconnect'
if sees 'logged out successfully'; then ok 'logs out'
else not_ok 'logs out'; fi
types '/quit'
echo done
