"""Files and folders that nobody but their owner may read, from the moment when they exist.

The machine's other users are no readers of calls (docs/threats.md). A file that is made and narrowed
afterwards could be opened in between, and whoever has it open keeps it.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)
FOLDER_MODE = 0o700
FILE_MODE = 0o600
OF_OTHERS = 0o077  # Every right of the group and of everybody else.


def keep_files_private() -> None:
    """From now on no file of this process, whoever makes it, has rights for others."""
    os.umask(OF_OTHERS)


def make_private_folder(folder: Path) -> None:
    """Make it, and each folder above it that is missing, for the owner alone; what exists stays as it is."""
    if not folder.is_dir():
        make_private_folder(folder.parent)
        folder.mkdir(FOLDER_MODE, exist_ok=True)


def make_private_file(path: Path) -> None:
    """Make it, empty, for the owner alone; one that exists stays as it is, and is not opened.

    Closing a second handle of a file would end the locks that SQLite has on it in this process.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE))


def narrow(folder: Path, files: Iterable[Path]) -> None:
    """Take the rights of others away from the files that exist, and from a folder that holds nothing else.

    A folder that holds more is somebody's arrangement: it stays, as the files in it are closed. One line in
    the log says what was changed, and one what could not be.
    """
    if os.name != "posix":
        return
    ours = [file for file in files if file.exists()]
    wide = [path for path in ours if _is_wide(path)]
    if _is_wide(folder) and set(folder.iterdir()) == set(ours):
        wide.append(folder)
    try:
        for path in wide:
            path.chmod(path.stat().st_mode & ~OF_OTHERS)
    except OSError as error:  # Another user's, or a file system without rights.
        log.warning("others may read these files", paths=list(map(str, wide)), error=type(error).__name__)
        return
    if wide:
        log.warning("others could read these files, and no longer can", paths=list(map(str, wide)))


def _is_wide(path: Path) -> bool:
    return bool(path.stat().st_mode & OF_OTHERS)
