"""A script that keeps what it needs in a vault of its own: no server, one file.

    python script.py vault.db master.key

The key's file holds 32 random bytes in base64 (`openssl rand -base64 32`). Who has both files has the secrets: keep them
apart, and in earnest give the key by your platform's own store.
"""

import sys

import secrethub


def main() -> None:
    """Stores a secret at the first run, and uses it at every run."""
    store, key_file = sys.argv[1:]
    seal = secrethub.MasterKey.from_file(key_file)
    with secrethub.Vault.open(f"sqlite:{store}", seal=seal) as vault:
        # Nobody is handed a root token: one is made for as long as it is needed.
        vault.token = vault.generate_root(seal.key)
        try:
            try:
                found = vault.kv().get("script")
            except secrethub.NotFound:
                vault.kv().put("script", api_key="made at the first run")
                found = vault.kv().get("script")
            print(f"version {found.version.number}, {len(found['api_key'].reveal())} characters")
            records = list(vault.audit.search(path="secret/data/script"))
            print(f"{len(records)} records, verified: {vault.audit.verify()['verified']}")
        finally:
            vault.tokens.revoke()


if __name__ == "__main__":
    main()
