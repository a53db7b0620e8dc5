"""Any folder or archive of pictures in folders named by their labels: ``<label>/<file>``, however deep."""

from __future__ import annotations

from shared.dataset import UNKNOWN_WRITER, Dataset
from shared.datasets.members import Members, folder_of
from shared.datasets.pictures import PictureEntry, is_picture, read_pictures
from shared.datasets.report import NOT_A_PICTURE, Progress, Tally
from shared.labels import LabelSet, canonical_label

LAYOUT = "pictures in folders named by their labels"

NO_LABEL = "in no folder named by a label"


def read_image_folder(
    members: Members,
    *,
    labels: LabelSet | None,
    tally: Tally,
    progress: Progress | None = None,
    renamed: dict[str, str] | None = None,
) -> Dataset:
    """Read the pictures of a source; the label of each is the name of the folder it is in.

    Args:
        members: the source.
        labels: the classes to take; all where None.
        tally: told of what is left out.
        progress: told ``(done, total)``.
        renamed: labels by folder name, where a set's folders say something else than they mean.
    """
    entries = []
    for name in members.names:
        folder = folder_of(name)
        if not is_picture(name):
            tally.leave_out(NOT_A_PICTURE, name)
        elif not folder:
            tally.leave_out(NO_LABEL, name)
        else:
            label = (renamed or {}).get(folder) or canonical_label(folder)
            if labels is None or label in labels:
                entries.append(PictureEntry(name, label, UNKNOWN_WRITER))
            else:
                tally.leave_out_class(label)
    return read_pictures(members, entries, tally=tally, progress=progress)
