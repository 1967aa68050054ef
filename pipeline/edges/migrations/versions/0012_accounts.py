"""accounts, sessions and looks"""

from alembic import op
import sqlalchemy as sa


revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('cr_account',
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('name', sa.String(length=120), nullable=False),
    sa.Column('role', sa.String(length=20), nullable=False),
    sa.Column('unit', sa.String(length=120), nullable=True),
    sa.Column('made_at', sa.String(length=27), nullable=False),
    sa.Column('closed_at', sa.String(length=27), nullable=True),
    sa.Column('password', sa.Text(), nullable=True),
    sa.Column('must_change', sa.Boolean(), nullable=False),
    sa.Column('failed_count', sa.Integer(), nullable=False),
    sa.Column('locked_until_at', sa.String(length=27), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cr_account')),
    sa.UniqueConstraint('name', name=op.f('uq_cr_account_name'))
    )
    op.create_table('cr_session',
    sa.Column('token', sa.String(length=64), nullable=False),
    sa.Column('account', sa.String(length=26), nullable=False),
    sa.Column('csrf', sa.String(length=64), nullable=False),
    sa.Column('purpose', sa.Text(), nullable=False),
    sa.Column('begun_at', sa.String(length=27), nullable=False),
    sa.Column('seen_at', sa.String(length=27), nullable=False),
    sa.Column('ended_at', sa.String(length=27), nullable=True),
    sa.ForeignKeyConstraint(['account'], ['cr_account.id'], name=op.f('fk_cr_session_account')),
    sa.PrimaryKeyConstraint('token', name=op.f('pk_cr_session'))
    )
    op.create_index(op.f('ix_cr_session_account'), 'cr_session', ['account'], unique=False)
    op.create_table('cr_look',
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('session', sa.String(length=64), nullable=False),
    sa.Column('person', sa.String(length=120), nullable=False),
    sa.Column('original', sa.String(length=26), nullable=False),
    sa.Column('purpose', sa.Text(), nullable=False),
    sa.Column('begun_at', sa.String(length=27), nullable=False),
    sa.Column('watched_s', sa.Float(), nullable=False),
    sa.ForeignKeyConstraint(['original'], ['cr_original.id'], name=op.f('fk_cr_look_original')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cr_look'))
    )
    op.create_index(op.f('ix_cr_look_original'), 'cr_look', ['original'], unique=False)
    op.create_index('ix_cr_look_session', 'cr_look', ['session', 'original'], unique=False)


def downgrade() -> None:
    op.drop_table('cr_look')
    op.drop_table('cr_session')
    op.drop_table('cr_account')
