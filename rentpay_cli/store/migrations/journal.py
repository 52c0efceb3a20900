"""How PostgreSQL itself adds to the journal, so that the one lock of all writers is held as briefly as can be."""

from sqlalchemy import Connection

_APPEND = """
CREATE FUNCTION journal_append(entries json) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    entry json;
    number bigint;
    digest text;
BEGIN
    -- What is told of is locked here, as its foreign key does below: whoever changes a receipt or an id of it may wait
    -- for the lock of all writers, and must not have to wait for somebody who has that and waits for him.
    PERFORM FROM payment WHERE id = ANY(ARRAY(SELECT (e->>'payment_id')::int FROM json_array_elements(entries) AS e))
        ORDER BY id FOR KEY SHARE;
    PERFORM FROM attempt WHERE id = ANY(ARRAY(SELECT (e->>'attempt_id')::int FROM json_array_elements(entries) AS e))
        ORDER BY id FOR KEY SHARE;
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
