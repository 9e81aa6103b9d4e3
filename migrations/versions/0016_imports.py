"""imports

Revision: 0016
Follows: 0015
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0016'
down_revision = '0015'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('import_job',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('source_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('kind', sa.String(length=100), nullable=False),
    sa.Column('reading', sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
    sa.Column('place', sa.Text(), nullable=False),
    sa.Column('size', sa.Integer(), nullable=False),
    sa.Column('columns', sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
    sa.Column('duplicates', sa.Enum('skip', 'update', 'add', name='duplicates', native_enum=False, length=20), nullable=False),
    sa.Column('rules', sa.Boolean(), nullable=False),
    sa.Column('tags', sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
    sa.Column('owner_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('state', sa.Enum('draft', 'waiting', 'done', 'stopped', 'undoing', 'undone', name='importstate', native_enum=False, length=20), nullable=False),
    sa.Column('total', sa.Integer(), nullable=True),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('created', sa.Integer(), nullable=False),
    sa.Column('updated', sa.Integer(), nullable=False),
    sa.Column('skipped', sa.Integer(), nullable=False),
    sa.Column('failed', sa.Integer(), nullable=False),
    sa.Column('removed', sa.Integer(), nullable=False),
    sa.Column('restored', sa.Integer(), nullable=False),
    sa.Column('kept', sa.Integer(), nullable=False),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('tries', sa.Integer(), nullable=False),
    sa.Column('error', sa.Text(), nullable=False),
    sa.Column('by', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['owner_id'], ['user_account.id'], name=op.f('fk_import_job_owner_id_user_account')),
    sa.ForeignKeyConstraint(['source_id'], ['source.id'], name=op.f('fk_import_job_source_id_source')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_import_job'))
    )
    with op.batch_alter_table('import_job') as batch_op:
        batch_op.create_index('ix_import_job_at_work', ['due_at'], unique=False, postgresql_where=sa.text("state IN ('waiting', 'undoing')"), sqlite_where=sa.text("state IN ('waiting', 'undoing')"))

    op.create_table('import_row',
    sa.Column('job_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('number', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('outcome', sa.Enum('created', 'updated', 'skipped', 'failed', 'removed', 'restored', 'kept', name='rowoutcome', native_enum=False, length=20), nullable=False),
    sa.Column('lead_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('cells', sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
    sa.Column('before', sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=True),
    sa.Column('entry_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.ForeignKeyConstraint(['job_id'], ['import_job.id'], name=op.f('fk_import_row_job_id_import_job'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('job_id', 'number', name=op.f('pk_import_row'))
    )
    with op.batch_alter_table('import_row') as batch_op:
        batch_op.create_index('ix_import_row_job_id_outcome_number', ['job_id', 'outcome', 'number'], unique=False)
        batch_op.create_index(batch_op.f('ix_import_row_lead_id'), ['lead_id'], unique=False)



def downgrade() -> None:
    with op.batch_alter_table('import_row') as batch_op:
        batch_op.drop_index(batch_op.f('ix_import_row_lead_id'))
        batch_op.drop_index('ix_import_row_job_id_outcome_number')

    op.drop_table('import_row')
    with op.batch_alter_table('import_job') as batch_op:
        batch_op.drop_index('ix_import_job_at_work', postgresql_where=sa.text("state IN ('waiting', 'undoing')"), sqlite_where=sa.text("state IN ('waiting', 'undoing')"))

    op.drop_table('import_job')
