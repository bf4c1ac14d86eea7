"""The engine and the migrations, as Piccolo reads them (PICCOLO_CONF=app.piccolo_conf)."""

import os

from piccolo.conf.apps import AppRegistry

from app.kit.storage.database import Database
from app.settings import DATABASE_URL

DB = Database(os.environ.get("DATABASE_URL") or DATABASE_URL).engine
APP_REGISTRY = AppRegistry(apps=["app.piccolo_app"])
