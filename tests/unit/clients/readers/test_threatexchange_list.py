"""A list of hashes as ThreatExchange's command line writes it is read as the table it is."""

from pathlib import Path

import pytest

from broker.protocol.errors import BadInput
from clients.readers import RefusedRow, Signal, read_file

PDQ = "d8f8f0cee0f4a84f0637022a078f67f0b36e2ed596621e1d33e6339c4e9c9b22"
MD5 = "9e107d9d372bb6826bd81d3542a419d6"
LIST = f"""collab,signal_type,signal_str,category,tags
Sample Signals,pdq,{PDQ},WORTH_INVESTIGATING,
Sample Signals,video_md5,{MD5},MALICIOUS,media_priority_samples
Sample Signals,HASH_MD5,{MD5},,
Sample Signals,photo_md5,d41d8cd98f00b204e9800998ecf8427e,,
Sample Signals,vpdq,{PDQ},,
Sample Signals,url,https://example.org/a,,
"""


def test_hashes_go_in_by_type_and_what_is_not_compared_is_refused_by_line(tmp_path: Path) -> None:
    path = tmp_path / "signals.csv"
    path.write_text(LIST)
    items = list(read_file(path))
    assert [(item.line, item.canonical.text) for item in items if isinstance(item, Signal)] == [
        (2, f"pdq/1|{PDQ}"),
        (3, f"file_hash/1|{MD5}"),
        (4, f"file_hash/1|{MD5}"),
        (7, "url/1|https://example.org/a"),
    ]
    assert [item.line for item in items if isinstance(item, RefusedRow)] == [5, 6]
    (first, *_) = items
    assert isinstance(first, Signal)
    assert dict(first.attributes) == {"collab": "Sample Signals", "category": "WORTH_INVESTIGATING"}


def test_a_list_without_a_header_is_not_guessed(tmp_path: Path) -> None:
    path = tmp_path / "signals.csv"
    path.write_text(f"{PDQ},2880742865368386,2020-07-31T18:47:52+0000,media_type_photo\n" * 2)
    with pytest.raises(BadInput, match="first line holds an identifier") as refusal:
        list(read_file(path))
    assert PDQ not in refusal.value.detail
