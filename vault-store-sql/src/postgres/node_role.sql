-- A role for nodes that owns nothing; the test and docs/postgresql.md share it: run this once as the owner of the tables, after the first start.
CREATE ROLE secrethub_node LOGIN PASSWORD 'a long password';
GRANT SELECT, INSERT, UPDATE, DELETE ON kv TO secrethub_node;
GRANT SELECT, INSERT, DELETE ON audit_logs TO secrethub_node;
GRANT SELECT ON secrethub_schema TO secrethub_node;
GRANT EXECUTE ON FUNCTION secrethub_upkeep(int) TO secrethub_node;
