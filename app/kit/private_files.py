"""Files and folders that only their owner may read, from the moment when they exist.

The machine's other users may not read calls (docs/threats.md). If a file were closed to others only after it
was made, another user could open it in between and keep it open.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)
FOLDER_MODE = 0o700
FILE_MODE = 0o600
OF_OTHERS = 0o077  # Every right of the group and of all other users.


def keep_files_private() -> None:
    """Give no other user rights on any file that this process makes from now on, in any library."""
    os.umask(OF_OTHERS)


def make_private_folder(folder: Path) -> None:
    """Make the folder, and each missing one above it, for the owner alone; existing folders stay as
    they are.
    """
    if not folder.is_dir():
        make_private_folder(folder.parent)
        folder.mkdir(FOLDER_MODE, exist_ok=True)


def make_private_file(path: Path) -> None:
    """Make the file, empty, for the owner alone; an existing file stays as it is and is not opened.

    Closing a second handle of a file would end the locks that SQLite holds on it in this process.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, FILE_MODE))


def narrow(folder: Path, files: Iterable[Path]) -> None:
    """Take the rights of other users away from the files that exist, and from a folder that holds only them.

    A folder that holds other files too was arranged by the operator and stays as it is: the rights on our
    files suffice. The log names the files that were narrowed, or those that could not be.
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
    except OSError as error:  # The file is another user's, or the file system knows no rights.
        log.warning("others may read these files", paths=list(map(str, wide)), error=type(error).__name__)
        return
    if wide:
        log.warning("others could read these files, and no longer can", paths=list(map(str, wide)))


def _is_wide(path: Path) -> bool:
    return bool(path.stat().st_mode & OF_OTHERS)
