"""registers of devices, persons and activities"""

from alembic import op
import sqlalchemy as sa
from pipeline.states import DEVICE_ARTS


revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Nothing was ever written to these tables before.


def upgrade() -> None:
    with op.batch_alter_table('cr_device', schema=None) as batch_op:
        batch_op.add_column(sa.Column('aliases', sa.JSON(), nullable=False))
        batch_op.add_column(sa.Column('unit', sa.Text(), nullable=True))
        batch_op.add_column(sa.Column('zone', sa.Text(), nullable=True))
        listed = ", ".join(f"'{name}'" for name in DEVICE_ARTS)
        batch_op.create_check_constraint(op.f('ck_cr_device_art'), f"art IN ({listed})")
    with op.batch_alter_table('cr_custodian', schema=None) as batch_op:
        batch_op.add_column(sa.Column('aliases', sa.JSON(), nullable=False))
    with op.batch_alter_table('cr_ledger_entry', schema=None) as batch_op:
        batch_op.create_unique_constraint(
            op.f('uq_cr_ledger_entry_device_custodian_from_at'), ['device', 'custodian', 'from_at'])
    with op.batch_alter_table('cr_case', schema=None) as batch_op:
        batch_op.add_column(sa.Column('registered', sa.Boolean(), nullable=False, server_default=sa.false()))
    with op.batch_alter_table('cr_case_number', schema=None) as batch_op:
        batch_op.add_column(sa.Column('place', sa.Integer(), nullable=False, server_default='0'))
    with op.batch_alter_table('cr_party', schema=None) as batch_op:
        batch_op.create_unique_constraint(op.f('uq_cr_party_case_name'), ['case', 'name'])
    with op.batch_alter_table('cr_activity', schema=None) as batch_op:
        batch_op.drop_column('people')
        batch_op.add_column(sa.Column('people', sa.JSON(), nullable=False))
        batch_op.add_column(sa.Column('code', sa.String(length=200), nullable=False))
        batch_op.add_column(sa.Column('printed', sa.Text(), nullable=True))
        batch_op.create_unique_constraint(op.f('uq_cr_activity_code'), ['code'])
        batch_op.create_index('ix_cr_activity_from_at_to_at', ['from_at', 'to_at'], unique=False)


def downgrade() -> None:
    with op.batch_alter_table('cr_activity', schema=None) as batch_op:
        batch_op.drop_index('ix_cr_activity_from_at_to_at')
        batch_op.drop_constraint(op.f('uq_cr_activity_code'), type_='unique')
        batch_op.drop_column('printed')
        batch_op.drop_column('code')
        batch_op.drop_column('people')
        batch_op.add_column(sa.Column('people', sa.Text(), nullable=True))
    with op.batch_alter_table('cr_party', schema=None) as batch_op:
        batch_op.drop_constraint(op.f('uq_cr_party_case_name'), type_='unique')
    with op.batch_alter_table('cr_case_number', schema=None) as batch_op:
        batch_op.drop_column('place')
    with op.batch_alter_table('cr_case', schema=None) as batch_op:
        batch_op.drop_column('registered')
    with op.batch_alter_table('cr_ledger_entry', schema=None) as batch_op:
        batch_op.drop_constraint(op.f('uq_cr_ledger_entry_device_custodian_from_at'), type_='unique')
    with op.batch_alter_table('cr_custodian', schema=None) as batch_op:
        batch_op.drop_column('aliases')
    with op.batch_alter_table('cr_device', schema=None) as batch_op:
        batch_op.drop_constraint(op.f('ck_cr_device_art'), type_='check')
        batch_op.drop_column('zone')
        batch_op.drop_column('unit')
        batch_op.drop_column('aliases')
