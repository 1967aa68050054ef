"""the nouns of the catalog"""

from alembic import op
import sqlalchemy as sa
from pipeline.edges.database import tables


revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('cr_case',
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('opened_on', sa.String(length=10), nullable=True),
    sa.Column('decision_due_on', sa.String(length=10), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cr_case'))
    )
    op.create_table('cr_custodian',
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('code', sa.String(length=80), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('unit', sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cr_custodian')),
    sa.UniqueConstraint('code', name=op.f('uq_cr_custodian_code'))
    )
    op.create_table('cr_device',
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('code', sa.String(length=80), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('art', sa.String(length=20), nullable=False),
    sa.Column('serial', sa.Text(), nullable=True),
    sa.Column('place', sa.Text(), nullable=True),
    sa.Column('review_41', sa.Text(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cr_device')),
    sa.UniqueConstraint('code', name=op.f('uq_cr_device_code'))
    )
    op.create_table('cr_event',
    sa.Column('seq', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('at', tables.Instant(length=27), nullable=False),
    sa.Column('type', sa.String(length=40), nullable=False),
    sa.Column('actor', sa.String(length=80), nullable=False),
    sa.Column('original', sa.String(length=26), nullable=True),
    sa.Column('line', sa.Text(), nullable=False),
    sa.Column('hash', sa.String(length=64), nullable=False),
    sa.PrimaryKeyConstraint('seq', name=op.f('pk_cr_event'))
    )
    with op.batch_alter_table('cr_event', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_cr_event_original'), ['original'], unique=False)
        batch_op.create_index(batch_op.f('ix_cr_event_type'), ['type'], unique=False)

    op.create_table('cr_lock',
    sa.Column('name', sa.String(length=40), nullable=False),
    sa.Column('holder', sa.String(length=120), nullable=False),
    sa.Column('until_s', sa.Float(), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_cr_lock'))
    )
    op.create_table('cr_log_head',
    sa.Column('id', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('seq', sa.BigInteger(), nullable=False),
    sa.Column('hash', sa.String(length=64), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cr_log_head'))
    )
    op.create_table('cr_original',
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('sha256', sa.String(length=64), nullable=False),
    sa.Column('sm3', sa.String(length=64), nullable=True),
    sa.Column('size_bytes', sa.BigInteger(), nullable=False),
    sa.Column('kind', sa.String(length=10), nullable=False),
    sa.Column('format', sa.String(length=40), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('state', sa.String(length=20), nullable=False),
    sa.Column('accepted_at', tables.Instant(length=27), nullable=False),
    sa.Column('parent', sa.String(length=26), nullable=True),
    sa.Column('changed_seq', sa.BigInteger(), nullable=False),
    sa.CheckConstraint("kind IN ('video', 'audio', 'photo', 'document', 'sidecar', 'other')", name=op.f('ck_cr_original_kind')),
    sa.CheckConstraint("state IN ('received', 'in_custody', 'searchable', 'ready', 'attention', 'failed_custody')", name=op.f('ck_cr_original_state')),
    sa.ForeignKeyConstraint(['parent'], ['cr_original.id'], name=op.f('fk_cr_original_parent')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cr_original')),
    sa.UniqueConstraint('sha256', name=op.f('uq_cr_original_sha256'))
    )
    with op.batch_alter_table('cr_original', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_cr_original_changed_seq'), ['changed_seq'], unique=False)
        batch_op.create_index(batch_op.f('ix_cr_original_parent'), ['parent'], unique=False)
        batch_op.create_index(batch_op.f('ix_cr_original_state'), ['state'], unique=False)

    op.create_table('cr_retention_class',
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('name', sa.String(length=80), nullable=False),
    sa.Column('months', sa.Integer(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cr_retention_class')),
    sa.UniqueConstraint('name', name=op.f('uq_cr_retention_class_name'))
    )
    op.create_table('cr_worker',
    sa.Column('id', sa.String(length=120), nullable=False),
    sa.Column('role', sa.String(length=20), nullable=False),
    sa.Column('host', sa.Text(), nullable=False),
    sa.Column('pid', sa.Integer(), nullable=False),
    sa.Column('generation', sa.String(length=20), nullable=False),
    sa.Column('started_s', sa.Float(), nullable=False),
    sa.Column('seen_s', sa.Float(), nullable=False),
    sa.Column('state', sa.String(length=10), nullable=False),
    sa.Column('said', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cr_worker'))
    )
    with op.batch_alter_table('cr_worker', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_cr_worker_seen_s'), ['seen_s'], unique=False)

    op.create_table('cr_activity',
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('case', sa.String(length=26), nullable=True),
    sa.Column('step', sa.String(length=80), nullable=False),
    sa.Column('place', sa.Text(), nullable=True),
    sa.Column('people', sa.Text(), nullable=True),
    sa.Column('from_at', tables.Instant(length=27), nullable=True),
    sa.Column('to_at', tables.Instant(length=27), nullable=True),
    sa.ForeignKeyConstraint(['case'], ['cr_case.id'], name=op.f('fk_cr_activity_case')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cr_activity'))
    )
    with op.batch_alter_table('cr_activity', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_cr_activity_case'), ['case'], unique=False)

    op.create_table('cr_arrival',
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('original', sa.String(length=26), nullable=True),
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('path', sa.Text(), nullable=False),
    sa.Column('folder', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('stem', sa.Text(), nullable=False),
    sa.Column('path_raw', sa.LargeBinary(), nullable=False),
    sa.Column('name_raw', sa.LargeBinary(), nullable=False),
    sa.Column('status', sa.String(length=10), nullable=False),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('size_bytes', sa.BigInteger(), nullable=False),
    sa.Column('mtime_ns', sa.BigInteger(), nullable=False),
    sa.Column('device_number', sa.Numeric(precision=20, scale=0), nullable=False),
    sa.Column('inode', sa.Numeric(precision=20, scale=0), nullable=False),
    sa.Column('sha256', sa.String(length=64), nullable=False),
    sa.Column('taken_at', tables.Instant(length=27), nullable=False),
    sa.Column('stated_case', sa.Text(), nullable=True),
    sa.Column('stated_activity', sa.Text(), nullable=True),
    sa.Column('stated_device', sa.Text(), nullable=True),
    sa.Column('stated_officer', sa.Text(), nullable=True),
    sa.Column('place_key', sa.String(length=64), nullable=False),
    sa.CheckConstraint("status IN ('accepted', 'duplicate', 'rejected')", name=op.f('ck_cr_arrival_status')),
    sa.ForeignKeyConstraint(['original'], ['cr_original.id'], name=op.f('fk_cr_arrival_original')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cr_arrival')),
    sa.UniqueConstraint('place_key', 'sha256', name=op.f('uq_cr_arrival_place_key_sha256'))
    )
    with op.batch_alter_table('cr_arrival', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_cr_arrival_original'), ['original'], unique=False)
        batch_op.create_index('ix_cr_arrival_stem', ['source', 'folder', 'stem'], unique=False)

    op.create_table('cr_case_link',
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('original', sa.String(length=26), nullable=False),
    sa.Column('case', sa.String(length=26), nullable=False),
    sa.Column('activity', sa.String(length=26), nullable=True),
    sa.Column('case_key', sa.String(length=160), nullable=False),
    sa.Column('printed', sa.Text(), nullable=False),
    sa.Column('method', sa.String(length=40), nullable=False),
    sa.Column('score', sa.Float(), nullable=False),
    sa.Column('why', sa.Text(), nullable=False),
    sa.Column('status', sa.String(length=10), nullable=False),
    sa.Column('from_s', sa.Float(), nullable=True),
    sa.Column('to_s', sa.Float(), nullable=True),
    sa.Column('by', sa.Text(), nullable=True),
    sa.Column('finder', sa.String(length=80), nullable=False),
    sa.CheckConstraint("status IN ('proposed', 'confirmed', 'refused')", name=op.f('ck_cr_case_link_status')),
    sa.ForeignKeyConstraint(['case'], ['cr_case.id'], name=op.f('fk_cr_case_link_case')),
    sa.ForeignKeyConstraint(['original'], ['cr_original.id'], name=op.f('fk_cr_case_link_original')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cr_case_link')),
    sa.UniqueConstraint('original', 'case_key', name=op.f('uq_cr_case_link_original_case_key'))
    )
    with op.batch_alter_table('cr_case_link', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_cr_case_link_case'), ['case'], unique=False)
        batch_op.create_index(batch_op.f('ix_cr_case_link_case_key'), ['case_key'], unique=False)
        batch_op.create_index(batch_op.f('ix_cr_case_link_original'), ['original'], unique=False)

    op.create_table('cr_case_number',
    sa.Column('key', sa.String(length=160), nullable=False),
    sa.Column('case', sa.String(length=26), nullable=False),
    sa.Column('printed', sa.Text(), nullable=False),
    sa.Column('kind', sa.String(length=20), nullable=True),
    sa.ForeignKeyConstraint(['case'], ['cr_case.id'], name=op.f('fk_cr_case_number_case')),
    sa.PrimaryKeyConstraint('key', name=op.f('pk_cr_case_number'))
    )
    with op.batch_alter_table('cr_case_number', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_cr_case_number_case'), ['case'], unique=False)

    op.create_table('cr_caveat',
    sa.Column('number', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('original', sa.String(length=26), nullable=False),
    sa.Column('turn', sa.String(length=40), nullable=False),
    sa.Column('code', sa.String(length=40), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('text_zh', sa.Text(), nullable=False),
    sa.Column('finder', sa.String(length=80), nullable=False),
    sa.ForeignKeyConstraint(['original'], ['cr_original.id'], name=op.f('fk_cr_caveat_original')),
    sa.PrimaryKeyConstraint('number', name=op.f('pk_cr_caveat'))
    )
    with op.batch_alter_table('cr_caveat', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_cr_caveat_code'), ['code'], unique=False)
        batch_op.create_index(batch_op.f('ix_cr_caveat_original'), ['original'], unique=False)

    op.create_table('cr_clock_offset',
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('device', sa.String(length=26), nullable=False),
    sa.Column('offset_s', sa.Float(), nullable=False),
    sa.Column('uncertainty_s', sa.Float(), nullable=False),
    sa.Column('from_at', tables.Instant(length=27), nullable=False),
    sa.Column('to_at', tables.Instant(length=27), nullable=True),
    sa.Column('how', sa.Text(), nullable=False),
    sa.Column('by', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['device'], ['cr_device.id'], name=op.f('fk_cr_clock_offset_device')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cr_clock_offset'))
    )
    with op.batch_alter_table('cr_clock_offset', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_cr_clock_offset_device'), ['device'], unique=False)

    op.create_table('cr_decided_time',
    sa.Column('number', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('original', sa.String(length=26), nullable=False),
    sa.Column('turn', sa.String(length=40), nullable=False),
    sa.Column('start_at', tables.Instant(length=27), nullable=False),
    sa.Column('end_at', tables.Instant(length=27), nullable=False),
    sa.Column('uncertainty_s', sa.Float(), nullable=False),
    sa.Column('method', sa.String(length=80), nullable=False),
    sa.Column('why', sa.Text(), nullable=False),
    sa.Column('zone_known', sa.Boolean(), nullable=False),
    sa.Column('source', sa.String(length=80), nullable=False),
    sa.Column('losers', sa.JSON(), nullable=False),
    sa.Column('finder', sa.String(length=80), nullable=False),
    sa.ForeignKeyConstraint(['original'], ['cr_original.id'], name=op.f('fk_cr_decided_time_original')),
    sa.PrimaryKeyConstraint('number', name=op.f('pk_cr_decided_time'))
    )
    with op.batch_alter_table('cr_decided_time', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_cr_decided_time_original'), ['original'], unique=False)

    op.create_table('cr_derivative',
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('original', sa.String(length=26), nullable=False),
    sa.Column('turn', sa.String(length=40), nullable=False),
    sa.Column('role', sa.String(length=20), nullable=False),
    sa.Column('mime', sa.String(length=80), nullable=False),
    sa.Column('path', sa.Text(), nullable=False),
    sa.Column('sha256', sa.String(length=64), nullable=False),
    sa.Column('size_bytes', sa.BigInteger(), nullable=False),
    sa.Column('tool', sa.Text(), nullable=False),
    sa.Column('parameters', sa.JSON(), nullable=False),
    sa.Column('finder', sa.String(length=80), nullable=False),
    sa.ForeignKeyConstraint(['original'], ['cr_original.id'], name=op.f('fk_cr_derivative_original')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cr_derivative'))
    )
    with op.batch_alter_table('cr_derivative', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_cr_derivative_original'), ['original'], unique=False)

    op.create_table('cr_disposal',
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('original', sa.String(length=26), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('proposed_by', sa.Text(), nullable=False),
    sa.Column('approved_by', sa.Text(), nullable=True),
    sa.Column('proposed_at', tables.Instant(length=27), nullable=False),
    sa.Column('approved_at', tables.Instant(length=27), nullable=True),
    sa.Column('done_at', tables.Instant(length=27), nullable=True),
    sa.ForeignKeyConstraint(['original'], ['cr_original.id'], name=op.f('fk_cr_disposal_original')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cr_disposal'))
    )
    with op.batch_alter_table('cr_disposal', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_cr_disposal_original'), ['original'], unique=False)

    op.create_table('cr_document',
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('case', sa.String(length=26), nullable=True),
    sa.Column('original', sa.String(length=26), nullable=True),
    sa.Column('art', sa.String(length=80), nullable=False),
    sa.Column('text', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['case'], ['cr_case.id'], name=op.f('fk_cr_document_case')),
    sa.ForeignKeyConstraint(['original'], ['cr_original.id'], name=op.f('fk_cr_document_original')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cr_document'))
    )
    with op.batch_alter_table('cr_document', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_cr_document_case'), ['case'], unique=False)
        batch_op.create_index(batch_op.f('ix_cr_document_original'), ['original'], unique=False)

    op.create_table('cr_fingerprint',
    sa.Column('number', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('original', sa.String(length=26), nullable=False),
    sa.Column('turn', sa.String(length=40), nullable=False),
    sa.Column('method', sa.String(length=20), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('data', sa.LargeBinary(), nullable=False),
    sa.Column('finder', sa.String(length=80), nullable=False),
    sa.ForeignKeyConstraint(['original'], ['cr_original.id'], name=op.f('fk_cr_fingerprint_original')),
    sa.PrimaryKeyConstraint('number', name=op.f('pk_cr_fingerprint'))
    )
    with op.batch_alter_table('cr_fingerprint', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_cr_fingerprint_method'), ['method'], unique=False)
        batch_op.create_index(batch_op.f('ix_cr_fingerprint_original'), ['original'], unique=False)

    op.create_table('cr_hold',
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('original', sa.String(length=26), nullable=True),
    sa.Column('case', sa.String(length=26), nullable=True),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('by', sa.Text(), nullable=False),
    sa.Column('from_at', tables.Instant(length=27), nullable=False),
    sa.Column('released_at', tables.Instant(length=27), nullable=True),
    sa.ForeignKeyConstraint(['case'], ['cr_case.id'], name=op.f('fk_cr_hold_case')),
    sa.ForeignKeyConstraint(['original'], ['cr_original.id'], name=op.f('fk_cr_hold_original')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cr_hold'))
    )
    with op.batch_alter_table('cr_hold', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_cr_hold_case'), ['case'], unique=False)
        batch_op.create_index(batch_op.f('ix_cr_hold_original'), ['original'], unique=False)

    op.create_table('cr_job',
    sa.Column('id', sa.String(length=80), nullable=False),
    sa.Column('original', sa.String(length=26), nullable=False),
    sa.Column('lane', sa.String(length=10), nullable=False),
    sa.Column('stage', sa.String(length=20), nullable=False),
    sa.Column('place', sa.Integer(), nullable=False),
    sa.Column('state', sa.String(length=12), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('deaths', sa.Integer(), nullable=False),
    sa.Column('run', sa.Integer(), nullable=False),
    sa.Column('token', sa.String(length=40), nullable=True),
    sa.Column('worker', sa.String(length=120), nullable=True),
    sa.Column('waiting_since', tables.Instant(length=27), nullable=True),
    sa.Column('started_at', tables.Instant(length=27), nullable=True),
    sa.Column('ended_at', tables.Instant(length=27), nullable=True),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('detail', sa.Text(), nullable=True),
    sa.Column('stage_version', sa.Integer(), nullable=True),
    sa.CheckConstraint("lane IN ('light', 'heavy')", name=op.f('ck_cr_job_lane')),
    sa.CheckConstraint("state IN ('waiting', 'running', 'done', 'failed', 'cancelled')", name=op.f('ck_cr_job_state')),
    sa.ForeignKeyConstraint(['original'], ['cr_original.id'], name=op.f('fk_cr_job_original')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cr_job')),
    sa.UniqueConstraint('original', 'lane', 'stage', name=op.f('uq_cr_job_original_lane_stage'))
    )
    with op.batch_alter_table('cr_job', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_cr_job_original'), ['original'], unique=False)
        batch_op.create_index(batch_op.f('ix_cr_job_state'), ['state'], unique=False)

    op.create_table('cr_ledger_entry',
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('device', sa.String(length=26), nullable=False),
    sa.Column('custodian', sa.String(length=26), nullable=False),
    sa.Column('from_at', tables.Instant(length=27), nullable=False),
    sa.Column('to_at', tables.Instant(length=27), nullable=True),
    sa.Column('note', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['custodian'], ['cr_custodian.id'], name=op.f('fk_cr_ledger_entry_custodian')),
    sa.ForeignKeyConstraint(['device'], ['cr_device.id'], name=op.f('fk_cr_ledger_entry_device')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cr_ledger_entry'))
    )
    with op.batch_alter_table('cr_ledger_entry', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_cr_ledger_entry_custodian'), ['custodian'], unique=False)
        batch_op.create_index(batch_op.f('ix_cr_ledger_entry_device'), ['device'], unique=False)

    op.create_table('cr_party',
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('case', sa.String(length=26), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('identifier', sa.Text(), nullable=True),
    sa.ForeignKeyConstraint(['case'], ['cr_case.id'], name=op.f('fk_cr_party_case')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cr_party'))
    )
    with op.batch_alter_table('cr_party', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_cr_party_case'), ['case'], unique=False)

    op.create_table('cr_property',
    sa.Column('number', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('original', sa.String(length=26), nullable=False),
    sa.Column('turn', sa.String(length=40), nullable=False),
    sa.Column('name', sa.String(length=120), nullable=False),
    sa.Column('found', sa.Text(), nullable=False),
    sa.Column('value', sa.JSON(none_as_null=True), nullable=True),
    sa.Column('finder', sa.String(length=80), nullable=False),
    sa.ForeignKeyConstraint(['original'], ['cr_original.id'], name=op.f('fk_cr_property_original')),
    sa.PrimaryKeyConstraint('number', name=op.f('pk_cr_property'))
    )
    with op.batch_alter_table('cr_property', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_cr_property_original'), ['original'], unique=False)

    op.create_table('cr_recording',
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('device', sa.String(length=26), nullable=True),
    sa.Column('parts', sa.JSON(), nullable=False),
    sa.Column('gaps', sa.JSON(), nullable=False),
    sa.ForeignKeyConstraint(['device'], ['cr_device.id'], name=op.f('fk_cr_recording_device')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cr_recording'))
    )
    with op.batch_alter_table('cr_recording', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_cr_recording_device'), ['device'], unique=False)

    op.create_table('cr_time_claim',
    sa.Column('number', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('original', sa.String(length=26), nullable=False),
    sa.Column('turn', sa.String(length=40), nullable=False),
    sa.Column('source', sa.String(length=80), nullable=False),
    sa.Column('found', sa.Text(), nullable=False),
    sa.Column('at', tables.Instant(length=27), nullable=True),
    sa.Column('end_at', tables.Instant(length=27), nullable=True),
    sa.Column('zone_known', sa.Boolean(), nullable=False),
    sa.Column('offset_min', sa.Integer(), nullable=True),
    sa.Column('marks', sa.String(length=10), nullable=False),
    sa.Column('precision_s', sa.Float(), nullable=False),
    sa.Column('trust', sa.Integer(), nullable=False),
    sa.Column('note', sa.Text(), nullable=False),
    sa.Column('finder', sa.String(length=80), nullable=False),
    sa.ForeignKeyConstraint(['original'], ['cr_original.id'], name=op.f('fk_cr_time_claim_original')),
    sa.PrimaryKeyConstraint('number', name=op.f('pk_cr_time_claim'))
    )
    with op.batch_alter_table('cr_time_claim', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_cr_time_claim_original'), ['original'], unique=False)

    op.execute("INSERT INTO cr_log_head (id, seq, hash) VALUES (1, 0, '" + "0" * 64 + "')")


def downgrade() -> None:
    with op.batch_alter_table('cr_time_claim', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_cr_time_claim_original'))

    op.drop_table('cr_time_claim')
    with op.batch_alter_table('cr_recording', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_cr_recording_device'))

    op.drop_table('cr_recording')
    with op.batch_alter_table('cr_property', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_cr_property_original'))

    op.drop_table('cr_property')
    with op.batch_alter_table('cr_party', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_cr_party_case'))

    op.drop_table('cr_party')
    with op.batch_alter_table('cr_ledger_entry', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_cr_ledger_entry_device'))
        batch_op.drop_index(batch_op.f('ix_cr_ledger_entry_custodian'))

    op.drop_table('cr_ledger_entry')
    with op.batch_alter_table('cr_job', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_cr_job_state'))
        batch_op.drop_index(batch_op.f('ix_cr_job_original'))

    op.drop_table('cr_job')
    with op.batch_alter_table('cr_hold', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_cr_hold_original'))
        batch_op.drop_index(batch_op.f('ix_cr_hold_case'))

    op.drop_table('cr_hold')
    with op.batch_alter_table('cr_fingerprint', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_cr_fingerprint_original'))
        batch_op.drop_index(batch_op.f('ix_cr_fingerprint_method'))

    op.drop_table('cr_fingerprint')
    with op.batch_alter_table('cr_document', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_cr_document_original'))
        batch_op.drop_index(batch_op.f('ix_cr_document_case'))

    op.drop_table('cr_document')
    with op.batch_alter_table('cr_disposal', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_cr_disposal_original'))

    op.drop_table('cr_disposal')
    with op.batch_alter_table('cr_derivative', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_cr_derivative_original'))

    op.drop_table('cr_derivative')
    with op.batch_alter_table('cr_decided_time', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_cr_decided_time_original'))

    op.drop_table('cr_decided_time')
    with op.batch_alter_table('cr_clock_offset', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_cr_clock_offset_device'))

    op.drop_table('cr_clock_offset')
    with op.batch_alter_table('cr_caveat', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_cr_caveat_original'))
        batch_op.drop_index(batch_op.f('ix_cr_caveat_code'))

    op.drop_table('cr_caveat')
    with op.batch_alter_table('cr_case_number', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_cr_case_number_case'))

    op.drop_table('cr_case_number')
    with op.batch_alter_table('cr_case_link', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_cr_case_link_original'))
        batch_op.drop_index(batch_op.f('ix_cr_case_link_case_key'))
        batch_op.drop_index(batch_op.f('ix_cr_case_link_case'))

    op.drop_table('cr_case_link')
    with op.batch_alter_table('cr_arrival', schema=None) as batch_op:
        batch_op.drop_index('ix_cr_arrival_stem')
        batch_op.drop_index(batch_op.f('ix_cr_arrival_original'))

    op.drop_table('cr_arrival')
    with op.batch_alter_table('cr_activity', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_cr_activity_case'))

    op.drop_table('cr_activity')
    with op.batch_alter_table('cr_worker', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_cr_worker_seen_s'))

    op.drop_table('cr_worker')
    op.drop_table('cr_retention_class')
    with op.batch_alter_table('cr_original', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_cr_original_state'))
        batch_op.drop_index(batch_op.f('ix_cr_original_parent'))
        batch_op.drop_index(batch_op.f('ix_cr_original_changed_seq'))

    op.drop_table('cr_original')
    op.drop_table('cr_log_head')
    op.drop_table('cr_lock')
    with op.batch_alter_table('cr_event', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_cr_event_type'))
        batch_op.drop_index(batch_op.f('ix_cr_event_original'))

    op.drop_table('cr_event')
    op.drop_table('cr_device')
    op.drop_table('cr_custodian')
    op.drop_table('cr_case')
