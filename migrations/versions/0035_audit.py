"""audit

Revision: 0035
Follows: 0034
"""

import sqlalchemy as sa
from alembic import op

revision = '0035'
down_revision = '0034'
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), 'sqlite')


def upgrade() -> None:
    op.create_table('audit_entry',
    sa.Column('id', KEY, nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('actor', sa.Text(), nullable=False),
    sa.Column('action', sa.String(length=100), nullable=False),
    sa.Column('place', sa.String(length=100), nullable=False),
    sa.Column('element_id', KEY, nullable=True),
    sa.Column('what', sa.String(length=100), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_audit_entry'))
    )
    with op.batch_alter_table('audit_entry') as batch_op:
        batch_op.create_index('ix_audit_entry_place_element_id', ['place', 'element_id'], unique=False)
        batch_op.create_index('ix_audit_entry_actor_id', ['actor', 'id'], unique=False)
        batch_op.create_index('ix_audit_entry_at', ['at'], unique=False)


def downgrade() -> None:
    op.drop_table('audit_entry')
