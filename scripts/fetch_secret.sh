#!/usr/bin/env bash
# fetch_secret.sh SECRET_ID: prints {"secret": "<base64>"}. The server is SECRET_MANAGER_URL, or http://localhost:8000.
set -euo pipefail

if [ $# -ne 1 ] || [ -z "$1" ]; then
    echo "Usage: $0 <secret_id>" >&2
    exit 1
fi
printf %s "$1" | "$(dirname "$0")/post_field.sh" /vault/secret/fetch secret_id
