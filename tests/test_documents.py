"""Documents: one's own and those shared with one, to be read or to be edited; their readers, tags and sizes."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import peewee
import pytest

from database import engines
from models import Document, DocumentReader, DocumentTag, Notification
from web import limits

GRANTS = (
    "documents:view",
    "documents:create",
    "documents:update",
    "documents:delete",
    "folders:view",
    "folders:create",
)


@pytest.fixture
def owner(client_with):
    return client_with(*GRANTS)


@pytest.fixture
def other(client_with):
    return client_with(*GRANTS)


def new_document(client, **fields):
    reply = client.post("/api/documents", {"title": "周报", **fields})
    assert reply.status_code == 201, reply.json
    return reply.json["data"]


def shared(client, user, permission="view", **fields):
    """The path of a new document of `client` that `user` was given a share of."""
    path = f"/api/documents/{new_document(client, **fields)['id']}"
    reply = client.post(f"{path}/share", {"userIds": [user.id], "permission": permission})
    assert reply.status_code == 200, reply.json
    return path


def titles(client, query=""):
    return [row["title"] for row in client.get(f"/api/documents?sort=id&{query}").json["data"]["items"]]


def details(reply):
    assert reply.status_code == 400, reply.json
    return [(detail["field"], detail["code"]) for detail in reply.json["error"]["details"]]


def test_only_the_author_is_told_in_which_folder_a_shared_document_lies(owner, other):
    folder = owner.post("/api/folders", {"name": "离职名单"}).json["data"]["id"]
    path = shared(owner, other, "edit", folderId=folder)
    assert owner.get(path).json["data"]["folderName"] == "离职名单"
    assert [row["folderName"] for row in owner.get("/api/documents").json["data"]["items"]] == ["离职名单"]
    replies = [other.get(path), other.put(path, {"title": "x"})]
    rows = [reply.json["data"] for reply in replies] + other.get("/api/documents").json["data"]["items"]
    assert [(row["folderId"], row["folderName"]) for row in rows] == [(folder, None)] * 3


def test_whom_a_document_is_shared_with_is_told_to_its_author_and_to_others_their_own_share(owner, other, client_with):
    third, auditor = client_with(*GRANTS), client_with("documents:view", "documents:view-all")
    path = shared(owner, other, "edit")
    owner.post(f"{path}/share", {"userIds": [third.id]})

    def shares(client):
        return [(row["userId"], row["permission"]) for row in client.get(f"{path}/shares").json["data"]["items"]]

    both = [(other.id, "edit"), (third.id, "view")]
    assert [shares(client) for client in (owner, auditor, third)] == [both, both, [(third.id, "view")]]
    assert owner.get(f"{path}/shares").json["data"]["items"][0]["user"]["id"] == other.id
    assert client_with(*GRANTS).get(f"{path}/shares").status_code == 404


def test_a_new_document_is_ones_own_unread_and_unshared(owner):
    document = new_document(owner, content="内容", tags=["重要", "周报"])
    assert " ".join(document) == (
        "id title content type size tags folderId folderName shared views author authorId createdAt updatedAt"
    )
    assert document["author"]["id"] == document["authorId"] == owner.id
    assert (document["content"], document["type"], document["tags"]) == ("内容", "document", ["重要", "周报"])
    assert (document["folderId"], document["shared"], document["views"]) == (None, False, 0)


def test_a_list_leaves_the_content_out(owner):
    document = new_document(owner, content="很长", tags=["乙", "甲"])
    del document["content"]
    assert owner.get("/api/documents").json["data"]["items"] == [document]


def test_a_document_is_absent_for_others_until_shared(owner, other):
    path = f"/api/documents/{new_document(owner)['id']}"
    for reply in (other.get(path), other.put(path, {"title": "x"}), other.delete(path), other.post(f"{path}/unshare")):
        assert reply.status_code == 404
    assert owner.post(f"{path}/share", {"userIds": [other.id]}).json["data"]["shared"] is True
    assert other.get(path).json["data"]["title"] == "周报" and titles(other) == ["周报"]


@pytest.mark.parametrize("permission", ["view", "edit"])
def test_a_share_opens_nothing_but_what_it_says(owner, other, permission):
    path = shared(owner, other, permission)
    texts = {"title": "改", "content": "新", "tags": ["共同"]}
    assert other.put(path, texts).status_code == (200 if permission == "edit" else 403)
    changed = other.get(path).json["data"]
    assert (changed["title"] == "改") is (permission == "edit")
    folder = other.post("/api/folders", {"name": "我的"}).json["data"]["id"]
    for reply in (
        other.put(path, {"title": "再改", "folderId": folder}),
        other.put(path, {"title": "再改", "type": "pdf"}),
        other.delete(path),
        other.post("/api/documents/batch-delete", {"ids": [changed["id"]]}),
        other.post(f"{path}/share", {"userIds": [other.id], "permission": "edit"}),
        other.post(f"{path}/unshare"),
    ):
        assert reply.status_code == 403
    assert owner.get(path).json["data"] == {**changed, "views": 2}


def test_an_editor_may_put_back_what_they_got(owner, other):
    folder = owner.post("/api/folders", {"name": "资料"}).json["data"]["id"]
    path = shared(owner, other, "edit", folderId=folder, type="code", tags=["乙", "甲"])
    document = other.get(path).json["data"]
    reply = other.put(path, document)
    assert reply.json["data"] == document and "X-Ignored-Fields" not in reply.headers


def test_who_manages_documents_does_all_of_it_to_everybodys(owner, other, client_with):
    manager, path = client_with("documents:*"), shared(owner, other)
    assert manager.put(path, {"type": "pdf", "title": "改"}).json["data"]["authorId"] == owner.id
    assert manager.post(f"{path}/unshare").json["data"]["shared"] is False
    assert manager.delete(path).status_code == 200 and owner.get(path).status_code == 404


def test_scope_says_whose_documents_are_listed(owner, other, client_with):
    new_document(owner, title="自己的")
    shared(other, owner, title="给我的")
    new_document(other, title="别人的")
    assert titles(owner) == titles(owner, "scope=all") == ["自己的", "给我的"]
    assert titles(owner, "scope=mine") == ["自己的"] and titles(owner, "scope=shared") == ["给我的"]
    manager = client_with("documents:*")
    assert titles(manager, "scope=mine") == titles(manager, "scope=shared") == []
    assert manager.get("/api/documents").json["data"]["total"] == 33
    assert details(owner.get("/api/documents?scope=ours")) == [("scope", "not_one_of")]


def test_documents_are_filtered_and_searched(owner):
    folder = owner.post("/api/folders", {"name": "资料"}).json["data"]["id"]
    new_document(owner, title="甲 100%", content="正文", tags=["重要", "会议"], folderId=folder)
    new_document(owner, title="乙", content="Budget 预算", tags=["会议"], type="pdf")
    new_document(owner, title="丙", type="code")
    assert titles(owner, "tags=重要") == ["甲 100%"] and titles(owner, "tags=重要,会议") == ["甲 100%", "乙"]
    assert titles(owner, "folderId=root") == ["乙", "丙"] and titles(owner, f"folderId={folder}") == ["甲 100%"]
    assert details(owner.get("/api/documents?folderId=999999")) == [("folderId", "unknown_id")]
    assert titles(owner, "type=pdf&type=code") == ["乙", "丙"] and len(titles(owner, "type=all&folderId=")) == 3
    assert titles(owner, "search=budget") == titles(owner, "q=预算") == ["乙"]
    assert titles(owner, "search=100%25") == ["甲 100%"] and titles(owner, "search=_") == []
    assert titles(owner, f"authorId={owner.id}") == ["甲 100%", "乙", "丙"] and titles(owner, "authorId=1") == []


def test_the_last_changed_comes_first(owner):
    first, second = new_document(owner), new_document(owner)
    Document.update(updated_at=engines.now().replace(year=2020)).execute()
    assert owner.put(f"/api/documents/{first['id']}", {"tags": ["新"]}).json["data"]["tags"] == ["新"]
    rows = owner.get("/api/documents").json["data"]["items"]
    assert [row["id"] for row in rows] == [first["id"], second["id"]]
    assert owner.get("/api/documents?sort=type").status_code == 400


def test_views_are_distinct_readers(owner, other):
    path = shared(owner, other)
    views = [client.get(path).json["data"]["views"] for client in (owner, owner, other, other, owner)]
    assert views == [1, 1, 2, 2, 2]
    assert titles(owner) and owner.get("/api/documents").json["data"]["items"][0]["views"] == 2


def test_a_reader_with_many_tabs_counts_once(owner):
    path = f"/api/documents/{new_document(owner)['id']}"
    with ThreadPoolExecutor(8) as pool:
        assert {reply.status_code for reply in pool.map(owner.get, [path] * 8)} == {200}
    assert owner.get(path).json["data"]["views"] == 1


@contextmanager
def refused_by(error, account):
    raise error("disk is full\nat line 1")
    yield


@pytest.mark.parametrize("error", [peewee.OperationalError, peewee.InterfaceError])
def test_a_reader_who_cannot_be_remembered_reads_all_the_same(owner, monkeypatch, caplog, error):
    document = new_document(owner)
    monkeypatch.setattr(engines, "write", partial(refused_by, error))
    reply = owner.get(f"/api/documents/{document['id']}")
    assert reply.status_code == 200 and reply.json["data"]["views"] == 0
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        f"a reader of document {document['id']} was not counted: disk is full"
    ]


def test_a_mistake_in_remembering_a_reader_is_not_hidden(owner, monkeypatch):
    path = f"/api/documents/{new_document(owner)['id']}"
    monkeypatch.setattr(engines, "write", partial(refused_by, peewee.ProgrammingError))
    assert owner.get(path).status_code == 500


def test_only_a_new_reader_is_written(owner, monkeypatch):
    path = f"/api/documents/{new_document(owner)['id']}"
    owner.get(path)
    monkeypatch.setattr(engines, "write", None)
    assert owner.get(path).status_code == 200


def test_the_size_is_the_bytes_of_the_content(owner):
    document = new_document(owner, content=" 中文a\n")
    path = f"/api/documents/{document['id']}"
    assert document["content"] == " 中文a\n" and document["size"] == 9
    assert owner.put(path, {"content": "é"}).json["data"]["size"] == 2
    assert owner.put(path, {"title": "改"}).json["data"]["size"] == 2
    assert owner.put(path, {"content": ""}).json["data"]["size"] == new_document(owner)["size"] == 0


def test_a_content_has_at_most_a_megabyte_of_bytes(owner):
    assert new_document(owner, content="a" * 1024 * 1024)["size"] == 1024 * 1024
    for content in ("a" * (1024 * 1024 + 1), "中" * 349_526):
        reply = owner.post("/api/documents", {"title": "x", "content": content})
        assert details(reply) == [("content", "too_long")]
    assert reply.json["error"]["details"][0]["message"] == "不能超过 1048576 字节"


def test_documents_count_in_the_storage_of_their_author(app, owner, other):
    app.config["STORAGE_QUOTA_MB"] = 1
    path = shared(owner, other, "edit", content="a" * 600_000)
    assert owner.post("/api/documents", {"title": "x", "content": "b" * 600_000}).status_code == 413
    assert other.put(path, {"content": "中" * 349_525, "title": "改"}).json["data"]["size"] == 1_048_575
    new_document(owner, content="d")
    reply = other.put(path, {"content": "e" * 1_048_576, "title": "太长"})
    assert reply.status_code == 413 and reply.json["message"] == "存储空间已满"
    assert other.get(path).json["data"]["title"] == "改" and len(titles(owner)) == 2
    assert new_document(other, content="f" * 1_000_000)["size"] == 1_000_000


def test_a_document_may_be_shortened_where_the_storage_is_over_full(app, owner):
    path = f"/api/documents/{new_document(owner, content='a' * 1_048_576)['id']}"
    new_document(owner, content="b" * 1_048_576)
    app.config["STORAGE_QUOTA_MB"] = 1
    assert owner.put(path, {"content": "a" * 1_048_575, "title": "改"}).status_code == 200
    assert owner.put(path, {"content": "a" * 1_048_576}).status_code == 413


def test_name_stands_for_an_absent_title(owner):
    reply = owner.post("/api/documents", {"name": "名"})
    assert reply.json["data"]["title"] == "名" and "X-Ignored-Fields" not in reply.headers
    path = f"/api/documents/{reply.json['data']['id']}"
    assert owner.put(path, {"name": "改名"}).json["data"]["title"] == "改名"
    assert owner.put(path, {"name": "甲", "title": "乙"}).json["data"]["title"] == "乙"
    assert details(owner.post("/api/documents", {"name": ""})) == [("title", "too_short")]


def test_tags_are_replaced_each_once_and_in_their_order(owner):
    document = new_document(owner, tags=["乙", "甲", "乙 "])
    assert document["tags"] == ["乙", "甲"]
    path = f"/api/documents/{document['id']}"
    assert owner.put(path, {"title": "改"}).json["data"]["tags"] == ["乙", "甲"]
    assert owner.put(path, {"tags": ["甲", "丙", "乙"]}).json["data"]["tags"] == ["甲", "丙", "乙"]
    assert owner.put(path, {"tags": []}).json["data"]["tags"] == []


@pytest.mark.parametrize(
    ("field", "value", "where", "code"),
    [
        ("title", "", "title", "too_short"),
        ("title", "x" * 201, "title", "too_long"),
        ("content", None, "content", "null"),
        ("content", "a\x00b", "content", "invalid_characters"),
        ("type", "word", "type", "not_one_of"),
        ("tags", ["x"] * 21, "tags", "too_long"),
        ("tags", ["x", ""], "tags.1", "too_short"),
        ("tags", "x", "tags", "type"),
        ("folderId", 999999, "folderId", "unknown_id"),
        ("folderId", True, "folderId", "type"),
    ],
)
def test_bad_input_is_refused_by_field(owner, field, value, where, code):
    assert details(owner.post("/api/documents", {"title": "x", field: value})) == [(where, code)]
    path = f"/api/documents/{new_document(owner)['id']}"
    assert details(owner.put(path, {"title": "改", field: value})) == [(where, code)]
    assert titles(owner) == ["周报"]


def test_a_document_lies_in_a_folder_of_its_author(owner, other, client_with):
    manager = client_with("documents:*", "folders:*", "folders:create")
    own, foreign, managers = [
        client.post("/api/folders", {"name": "资料"}).json["data"]["id"] for client in (owner, other, manager)
    ]
    document = new_document(owner, folderId=own)
    path = f"/api/documents/{document['id']}"
    for client, folder in ((owner, foreign), (manager, foreign), (manager, managers)):
        assert details(client.put(path, {"folderId": folder})) == [("folderId", "unknown_id")]
    assert owner.put(path, {"folderId": None}).json["data"]["folderId"] is None
    assert manager.put(path, {"folderId": own}).json["data"]["folderId"] == own


def test_a_share_rings_the_bell_once(owner, other):
    path = shared(owner, other, title="计划")
    owner.post(f"{path}/share", {"userIds": [other.id, owner.id], "permission": "edit"})
    told = Notification.get(Notification.user == other.id)
    assert (told.type, told.title, told.content) == ("user", "A document was shared with you", "计划")
    assert (told.target_type, f"/api/documents/{told.target_id}") == ("document", path)
    assert Notification.select().where(Notification.user.in_([owner.id, other.id])).count() == 1
    assert other.put(path, {"title": "改"}).status_code == 200


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, ("userIds", "required")),
        ({"userIds": []}, ("userIds", "out_of_range")),
        ({"userIds": [1, 999999]}, ("userIds.1", "unknown_id")),
        ({"userIds": [1], "permission": "own"}, ("permission", "not_one_of")),
    ],
)
def test_a_bad_share_shares_nothing(owner, body, where):
    path = f"/api/documents/{new_document(owner)['id']}"
    assert details(owner.post(f"{path}/share", body)) == [where]
    assert owner.get(path).json["data"]["shared"] is False
    assert Notification.select().where(Notification.content == "周报").count() == 0


def test_a_document_is_shared_with_only_so_many_people(owner, other, client_with, monkeypatch):
    manager, path = client_with("documents:*"), shared(owner, other)
    monkeypatch.setattr(limits, "PEOPLE", 2)
    monkeypatch.setattr(limits, "MANAGED_PEOPLE", 3)
    assert details(owner.post(f"{path}/share", {"userIds": [1, 2]})) == [("userIds", "too_long")]
    assert owner.post(f"{path}/share", {"userIds": [1, owner.id]}).status_code == 200
    assert manager.post(f"{path}/share", {"userIds": [2]}).status_code == 200
    assert owner.post(f"{path}/share", {"userIds": [1, 2], "permission": "edit"}).status_code == 200
    assert details(manager.post(f"{path}/share", {"userIds": [3]})) == [("userIds", "too_long")]


def test_a_document_is_taken_back_from_some_or_from_all(owner, other, client_with):
    third, path = client_with(*GRANTS), shared(owner, other)
    owner.post(f"{path}/share", {"userIds": [third.id]})
    assert owner.post(f"{path}/unshare", {"userIds": []}).json["data"]["shared"] is True
    unknown = owner.post(f"{path}/unshare", {"userIds": [other.id, 999999]})
    assert details(unknown) == [("userIds.1", "unknown_id")] and other.get(path).status_code == 200
    assert owner.post(f"{path}/unshare", {"userIds": [other.id]}).json["data"]["shared"] is True
    assert [client.get(path).status_code for client in (other, third)] == [404, 200]
    assert owner.post(f"{path}/unshare").json["data"]["shared"] is False
    assert third.get(path).status_code == 404


def test_what_is_no_longer_shared_or_is_gone_is_read_in_no_bell(owner, other, client_with, bell):
    third, path = client_with(*GRANTS), shared(owner, other, title="机密")
    owner.post(f"{path}/share", {"userIds": [third.id]})
    owner.post(f"{path}/unshare", {"userIds": [other.id]})
    assert bell(other) == [] and bell(third) == ["机密"]
    owner.post(f"{path}/unshare")
    assert bell(third) == []
    owner.post(f"{path}/share", {"userIds": [third.id]})
    owner.delete(path)
    assert bell(third) == []


def test_a_batch_deletes_all_or_nothing(owner, other):
    mine = [new_document(owner, tags=["x"])["id"] for _ in range(3)]
    foreign = new_document(other)["id"]
    theirs = int(shared(other, owner, "edit").rpartition("/")[2])
    for extra, status in ((foreign, 404), (999999, 404), (theirs, 403)):
        reply = owner.post("/api/documents/batch-delete", {"ids": [*mine, extra]})
        assert reply.status_code == status and len(titles(owner, "scope=mine")) == 3
    reply = owner.post("/api/documents/batch-delete", {"ids": [*mine, mine[0]]})
    assert reply.json["data"] == {"deleted": 3} and titles(owner, "scope=mine") == []


def test_what_belongs_to_a_document_goes_with_it(owner, other):
    path = shared(owner, other, tags=["告别"])
    other.get(path)
    assert owner.delete(path).json["data"] is None and other.get(path).status_code == 404
    assert DocumentTag.select().where(DocumentTag.name == "告别").count() == 0
    assert DocumentReader.select().where(DocumentReader.user == other.id).count() == 0


def test_a_page_costs_as_many_queries_whatever_its_size(owner, caplog):
    caplog.set_level("DEBUG", "peewee")
    counts = []
    for number in (1, 5):
        for _ in range(number):
            new_document(owner, tags=["甲", "乙"])
        caplog.clear()
        assert len(titles(owner)) >= number
        counts.append(len([record for record in caplog.records if record.name == "peewee"]))
    assert 0 < counts[0] == counts[1], counts


def test_thirty_documents_are_seeded(root, demo):
    rows = root.get("/api/documents?pageSize=100").json["data"]["items"]
    assert len(rows) == 30 and len({row["type"] for row in rows}) == 7
    assert len({tag for row in rows for tag in row["tags"]}) == 8
    assert {row["shared"] for row in rows} == {True, False} and len({row["views"] for row in rows}) > 5
    assert titles(demo, "scope=mine") and titles(demo, "scope=shared")


def test_documents_are_filtered_also_by_an_inactive_author_whose_documents_one_sees(owner, other, client_with, root):
    shared(other, owner, title="旧")
    root.put(f"/api/users/{other.id}/status", {"status": "inactive"})
    assert titles(owner, f"authorId={other.id}&authorId={owner.id}") == ["旧"]
    assert titles(client_with("documents:*"), f"authorId={other.id}") == ["旧"]
    unseen = client_with("documents:view").get(f"/api/documents?authorId=1,{other.id}")
    assert details(unseen) == [("authorId.1", "unknown_id")]
