#!/bin/sh
# A broker for trying things out, on this machine alone: sh deploy/trial-broker.sh PROGRAM FOLDER PORT
# Two made-up officers sign the rules in policies/ whenever they changed. Nobody's data belongs in it: whoever can read
# the folder has both officers' keys, and so puts any rules in force.
set -eu
program=$1
folder=$2
port=$3

test -f "$folder/broker/settings.toml" ||
    "$program" broker init "$folder/broker" --public-origin "http://127.0.0.1:$port"
for officer in one two; do
    test -f "$folder/officer-$officer/officer.jws" ||
        "$program" policy officer "$folder/officer-$officer" --id "trial-$officer" \
            --name "Trial officer $officer" --office "officer of a trial"
done

if ! diff -rq -x signatures policies "$folder/rules" >/dev/null 2>&1; then
    rm -rf "$folder/rules-next"
    cp -R policies "$folder/rules-next"
    "$program" broker officer "$folder/broker" \
        --pin "$folder/officer-one/officer.jws" --pin "$folder/officer-two/officer.jws"
    set --
    test ! -d "$folder/rules" || set -- --replaces "$folder/rules"
    now=$(date -u +%Y-%m-%dT%H:%M:%S)
    for officer in one two; do
        "$program" policy sign "$folder/officer-$officer" --bundle "$folder/rules-next" --valid-from "$now" \
            --changes "What changed in policies/ since" "$@"
    done
    "$program" broker activate "$folder/broker" --bundle "$folder/rules-next" --trial
    rm -rf "$folder/rules"
    mv "$folder/rules-next" "$folder/rules"
fi
exec "$program" broker serve "$folder/broker" --port "$port" --trial
