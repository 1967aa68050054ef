"""indexes by which pages find what they show, however large the archive is"""

from alembic import op
import sqlalchemy as sa


revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

NEW = (
    ('ix_cr_event_at', 'cr_event', ['at', 'seq']),
    ('ix_cr_event_type', 'cr_event', ['type', 'at', 'seq']),
    ('ix_cr_event_actor', 'cr_event', ['actor', 'at', 'seq']),
    ('ix_cr_event_original', 'cr_event', ['original', 'at', 'seq']),
    ('ix_cr_job_state', 'cr_job', ['state', 'stage', 'lane', 'ended_at']),
    ('ix_cr_original_accepted_at', 'cr_original', ['accepted_at', 'id', 'size_bytes']),
    ('ix_cr_fixity_original', 'cr_fixity', ['original', 'checked_at']),
    ('ix_cr_look_person', 'cr_look', ['person', 'original', 'watched_s']),
)
OLD = (
    ('ix_cr_event_type_seq', 'cr_event', ['type', 'seq']),
    ('ix_cr_event_original', 'cr_event', ['original']),
    ('ix_cr_job_state', 'cr_job', ['state']),
    ('ix_cr_original_parent', 'cr_original', ['parent']),
)
SOME = (
    ('ix_cr_original_parent', 'cr_original', ['parent'], "parent IS NOT NULL"),
    ('ix_cr_original_broken', 'cr_original', ['id'], "state IN ('failed_custody')"),
    ('ix_cr_case_link_proposed', 'cr_case_link', ['original'], "status IN ('proposed')"),
)


def upgrade() -> None:
    for name, table, _ in OLD:
        op.drop_index(name, table_name=table)
    for name, table, columns in NEW:
        op.create_index(name, table, columns, unique=False)
    for name, table, columns, where in SOME:
        op.create_index(
            name, table, columns, unique=False, sqlite_where=sa.text(where), postgresql_where=sa.text(where)
        )


def downgrade() -> None:
    for name, table, *_ in (*SOME, *NEW):
        op.drop_index(name, table_name=table)
    for name, table, columns in OLD:
        op.create_index(name, table, columns, unique=False)
