"""How PostgreSQL itself adds to the journal, so that the one lock of all writers is held as briefly as can be."""

from sqlalchemy import Connection

_APPEND = """
CREATE FUNCTION journal_append(entries json) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    entry json;
    number bigint;
    digest text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('journal'));
    SELECT id, hash INTO number, digest FROM journal ORDER BY id DESC LIMIT 1;
    number := coalesce(number, 0);
    digest := coalesce(digest, repeat('0', 64));
    FOR entry IN SELECT json_array_elements(entries) LOOP
        number := number + 1;
        digest := encode(
            sha256(convert_to(digest || chr(10) || '[' || number || ',' || (entry->>'after_number'), 'UTF8')), 'hex'
        );
        INSERT INTO journal (id, at, actor, event, payment_id, attempt_id, detail, hash)
        VALUES (number, (entry->>'at')::bigint, entry->>'actor', entry->>'event', (entry->>'payment_id')::int,
                (entry->>'attempt_id')::int, entry->>'detail', digest);
    END LOOP;
END $$
"""


def create_journal_append(connection: Connection) -> None:
    """Create the function by which `store.chain` writes entries on PostgreSQL; SQLite needs none."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_APPEND)
