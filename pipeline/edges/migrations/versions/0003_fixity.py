"""fixity checks and incidents"""

import sqlalchemy as sa
from alembic import op

from pipeline.edges.database.tables import Instant

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cr_fixity",
        sa.Column("original", sa.String(26), nullable=False),
        sa.Column("checked_at", Instant(27), nullable=False),
        sa.Column("outcome", sa.String(10), nullable=False),
        sa.CheckConstraint("outcome IN ('whole', 'broken')", name=op.f("ck_cr_fixity_outcome")),
        sa.ForeignKeyConstraint(["original"], ["cr_original.id"], name=op.f("fk_cr_fixity_original")),
        sa.PrimaryKeyConstraint("original", name=op.f("pk_cr_fixity")),
    )
    with op.batch_alter_table("cr_fixity") as batch:
        batch.create_index(batch.f("ix_cr_fixity_checked_at"), ["checked_at"])
    op.create_table(
        "cr_incident",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("original", sa.String(26), nullable=False),
        sa.Column("opened_at", Instant(27), nullable=False),
        sa.Column("faults", sa.JSON(), nullable=False),
        sa.Column("closed_at", Instant(27), nullable=True),
        sa.Column("closed_by", sa.String(80), nullable=True),
        sa.Column("how", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["original"], ["cr_original.id"], name=op.f("fk_cr_incident_original")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cr_incident")),
    )
    with op.batch_alter_table("cr_incident") as batch:
        batch.create_index(batch.f("ix_cr_incident_original"), ["original"])


def downgrade() -> None:
    op.drop_table("cr_incident")
    op.drop_table("cr_fixity")
