#!/usr/bin/env bash
# create_secret.sh [BASE64|-]: stores a secret and prints {"secret_id": …}. With `-` the base64 comes on standard input.
# The server is SECRET_MANAGER_URL, or http://localhost:8000.
set -euo pipefail

post="$(dirname "$0")/post_field.sh"
secret=${1:-cGFzc3dvcmQxMjM=}
if [ "$secret" = - ]; then
    exec "$post" /vault/secret/create/ secret
fi
printf %s "$secret" | "$post" /vault/secret/create/ secret
