"""what drops are to hold, and what was told of them"""

import sqlalchemy as sa
from alembic import op

from pipeline.edges.database import tables

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cr_drop",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("folder", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("manifest", sa.String(length=26), nullable=True),
        sa.Column("listed", sa.Integer(), nullable=False),
        sa.Column("stated_at", tables.Instant(length=27), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("told", sa.JSON(), nullable=False),
        sa.CheckConstraint("state IN ('waiting', 'complete', 'incomplete', 'wrong')", name=op.f("ck_cr_drop_state")),
        sa.ForeignKeyConstraint(["manifest"], ["cr_original.id"], name=op.f("fk_cr_drop_manifest")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cr_drop")),
    )
    with op.batch_alter_table("cr_drop", schema=None) as batch_op:
        batch_op.create_index("ix_cr_drop_folder", ["source", "folder"], unique=False)
    op.create_table(
        "cr_rejection",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("path_raw", sa.LargeBinary(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("ctime_ns", sa.BigInteger(), nullable=False),
        sa.Column("inode", sa.Numeric(precision=20, scale=0), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", tables.Instant(length=27), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_cr_rejection")),
    )
    op.create_table(
        "cr_told",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_cr_told")),
    )


def downgrade() -> None:
    op.drop_table("cr_told")
    op.drop_table("cr_rejection")
    op.drop_table("cr_drop")
