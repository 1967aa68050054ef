"""assignments of cases to reviewers"""

from alembic import op
import sqlalchemy as sa


revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('cr_assignment',
    sa.Column('id', sa.String(length=26), nullable=False),
    sa.Column('case_key', sa.String(length=160), nullable=False),
    sa.Column('printed', sa.Text(), nullable=False),
    sa.Column('person', sa.String(length=120), nullable=False),
    sa.Column('by', sa.Text(), nullable=False),
    sa.Column('assigned_at', sa.String(length=27), nullable=False),
    sa.Column('ended_by', sa.Text(), nullable=True),
    sa.Column('ended_at', sa.String(length=27), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_cr_assignment'))
    )
    op.create_index(op.f('ix_cr_assignment_case_key'), 'cr_assignment', ['case_key'], unique=False)


def downgrade() -> None:
    op.drop_table('cr_assignment')
