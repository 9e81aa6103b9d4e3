"""mails counted by mailbox

Revision: 0034
Follows: 0033
"""

import sqlalchemy as sa
from alembic import op

revision = '0034'
down_revision = '0033'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('sent_count',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('source_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['source_id'], ['source.id'], name=op.f('fk_sent_count_source_id_source')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sent_count'))
    )
    with op.batch_alter_table('sent_count') as batch_op:
        batch_op.create_index('ix_sent_count_source_id_at', ['source_id', 'at'], unique=False)


def downgrade() -> None:
    op.drop_table('sent_count')
