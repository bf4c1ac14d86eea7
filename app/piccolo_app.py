"""The one Piccolo app: every table, and the folder of the migrations."""

from pathlib import Path

from piccolo.conf.apps import AppConfig

from app.tables import TABLES

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"
APP_CONFIG = AppConfig(
    app_name="callbook", migrations_folder_path=str(MIGRATIONS), table_classes=list(TABLES)
)
