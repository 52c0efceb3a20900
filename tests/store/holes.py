"""What the database lets pass by plain SQL, and should not: each is a test that is expected to fail, and why.

Who closes one moves it to `attacks.py`, beside the rule that refuses it now.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.store.attacks import ENDED, MONEY_ON_ITS_WAY_BACK, insert, newest, payout, sent, transfer


@dataclass(frozen=True, slots=True)
class Hole:
    """Statements that the model forbids, or that undo what was written down, and that the database lets pass."""

    name: str
    reason: str
    statements: tuple[str, ...]
    only: str | None = None


HOLES = (
    Hole(
        "a payment from money on its way back",
        "payment_refunded looks at UPDATE only: a payment may be inserted as success while its money is refunded",
        (MONEY_ON_ITS_WAY_BACK, insert("payment", status="'success'", money_in_id="{unallocated_money}")),
    ),
    Hole(
        "a decided change decided otherwise",
        "what was decided stays so, but paybill_change.state may go from confirmed to cancelled and back",
        ("UPDATE paybill_change SET state = 'cancelled' WHERE id = {confirmed_change}",),
    ),
    Hole(
        "why a stop was lifted",
        "what was lifted stays so, but payout_stop.lifted_reason may be rewritten",
        tuple(f"UPDATE payout_stop SET lifted_reason = '{why}' WHERE id = {{lifted_stop}}" for why in ("one", "two")),
    ),
    Hole(
        "the day of a reversal",
        "reversed_at is set once and reversed_day is not: the day whose report took the fee back can be rewritten",
        ("UPDATE payment SET reversed_day = 20200101 WHERE id = {reversed_payment}",),
    ),
    Hole(
        "an access that was revoked",
        "an access that was revoked can be given back, with its old token and no trace",
        ("UPDATE access SET revoked_at = NULL, revoked_by = NULL WHERE id = {access_of_former}",),
    ),
    Hole(
        "a number that is no telephone number",
        "any text may stand in the setting `forgetting`, so that any part of a callback can be blotted out",
        (
            insert("setting", name="'forgetting'", value="'was paid'"),
            "UPDATE inbox SET body = CAST('254700000000 000000000' AS {blob}) WHERE id = {new_callback}",
        ),
    ),
    Hole(
        "a run of two persons approved by one",
        "whether the request of a run that needs approval is confirmed is not looked at yet",
        (
            insert("payout_run", needs_approval="1"),
            f"UPDATE payout_run SET status = 'approved' WHERE {newest('payout_run')}",
        ),
    ),
    Hole(
        "a transfer in the run of another owner",
        "a run is of one owner, but an approved run lets a transfer to another owner leave",
        (*transfer("{other_share}", owner_id="{other_owner}", run_id="{approved_run}", number="2"), sent()),
    ),
    Hole(
        "a settlement with rent that goes back",
        "disbursement_paid looks at processing only: the share of money on its way back can settle a debt",
        (
            *transfer("{proposed_refund_share}", way="'none'", amount_cents="0", carried_cents="950000"),
            f"UPDATE disbursement SET status = 'settled', {ENDED} WHERE {newest('disbursement')}",
        ),
    ),
    Hole(
        "a refund of money that was returned",
        "money that an undo returned can be refunded as well",
        (
            "UPDATE money_in SET returned_at = 1 WHERE id = {unallocated_money}",
            MONEY_ON_ITS_WAY_BACK,
            f"UPDATE refund SET status = 'processing' WHERE {newest('refund')}",
        ),
    ),
    Hole(
        "a share that goes elsewhere than its transfer",
        "between the move of the transfer and that of the payable its destination may still be changed",
        (
            sent("{proposed_disbursement}"),
            "UPDATE payable SET status = 'processing', paybill = '600009' WHERE id = {proposed_share}",
        ),
    ),
    Hole(
        "a share that is not required, settled after all",
        "a member comes back to what moved after all whatever its status, and a completed transfer has a share that is"
        " not required, where the model wants a paid_in_error",
        (
            "UPDATE payable SET status = 'not_required' WHERE id = {failed_share}",
            "UPDATE attempt SET state = 'moved' WHERE id = {failed_payout}",
            "UPDATE disbursement_member SET live = 1 WHERE disbursement_id = {failed_disbursement}",
            f"UPDATE disbursement SET status = 'completed', {ENDED} WHERE id = {{failed_disbursement}}",
        ),
    ),
    Hole(
        "a finding opened again",
        "a finding that was closed can be opened again, and when it was closed rewritten",
        ("UPDATE finding SET closed_at = 1 WHERE id = {finding}",),
    ),
    Hole(
        "a question rewritten",
        "an enquiry is never deleted, but all of it may be rewritten, such as whose answer it takes",
        ("UPDATE enquiry SET token_sha256 = 'other', kind = 'status' WHERE id = {balance_question}",),
    ),
    Hole(
        "the number of a row",
        "the number of a row to which nothing refers may be changed, in every table but the journal",
        ("UPDATE money_in SET id = 999999 WHERE id = {unallocated_money}",),
    ),
    Hole(
        "a second attempt that replaces the first",
        "SQLite deletes the row in the way of INSERT OR REPLACE without asking a trigger: a transfer is sent again",
        (payout("{being_sent_disbursement}").replace("INSERT", "INSERT OR REPLACE", 1),),
        "sqlite",
    ),
    Hole(
        "a second transfer that replaces the first",
        "SQLite deletes the row in the way of INSERT OR REPLACE without asking a trigger: a member is live elsewhere",
        (
            insert("disbursement_member", disbursement_id="{proposed_portal}", payable_id="{proposed_share}").replace(
                "INSERT", "INSERT OR REPLACE", 1
            ),
        ),
        "sqlite",
    ),
    Hole(
        "a journal entry that replaces another",
        "SQLite deletes the row in the way of INSERT OR REPLACE without asking a trigger: the journal is rewritten",
        (insert("journal", id="1").replace("INSERT", "INSERT OR REPLACE", 1),),
        "sqlite",
    ),
    Hole(
        "half a cent",
        "SQLite keeps a fraction in a column of whole cents",
        (insert("payable", amount_cents="5000.5"),),
        "sqlite",
    ),
    Hole(
        "an amount in words",
        "SQLite keeps a text in a column of cents, and it is more than any number",
        (insert("money_in", amount_cents="'a lot'"),),
        "sqlite",
    ),
)
