#!/usr/bin/env bash
# post_field.sh PATH FIELD: posts {"FIELD": <standard input>} to the server and prints its answer.
# The value comes on standard input, so that it never stands in a process list. Exit: 0 done; 22 the server refused
# (its answer is printed); anything else is curl's own code, such as 7 for no server.
set -euo pipefail

url=${SECRET_MANAGER_URL:-http://localhost:8000}
value=$(cat)
value=${value//\\/\\\\}
value=${value//\"/\\\"}
value=${value//$'\n'/\\n}
value=${value//$'\r'/\\r}
value=${value//$'\t'/\\t}

printf '{"%s":"%s"}' "$2" "$value" |
    curl --silent --show-error --fail-with-body --max-time 30 \
        --header 'Content-Type: application/json' --data-binary @- "${url%/}$1"
echo
