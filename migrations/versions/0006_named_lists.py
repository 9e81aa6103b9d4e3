"""named lists: values that conditions ask for; traces among many rules

Revision: 0006
Follows: 0005
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'named_list',
        sa.Column('key', sa.String(length=100), nullable=False),
        sa.Column('settings', sa.JSON().with_variant(postgresql.JSONB(), 'postgresql'), nullable=False),
        sa.PrimaryKeyConstraint('key', name=op.f('pk_named_list')),
    )
    with op.batch_alter_table('workspace') as batch_op:
        sms = sa.JSON().with_variant(postgresql.JSONB(), 'postgresql')
        batch_op.add_column(sa.Column('sms', sms, server_default='{}', nullable=False))
    with op.batch_alter_table('trace') as batch_op:
        for name in ('passed', 'seen'):
            column = sa.Column(
                name,
                sa.JSON().with_variant(postgresql.JSONB(), 'postgresql'),
                server_default='[]',
                nullable=False,
            )
            batch_op.add_column(column)


def downgrade() -> None:
    with op.batch_alter_table('workspace') as batch_op:
        batch_op.drop_column('sms')
    with op.batch_alter_table('trace') as batch_op:
        batch_op.drop_column('seen')
        batch_op.drop_column('passed')
    op.drop_table('named_list')
