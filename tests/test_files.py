"""Files: what is stored, who may have it, and what a browser is allowed to do with it."""

import errno
import hashlib
import http.client
import io
import json
import logging
import socket
import threading
import wave
import zipfile
from datetime import timedelta
from urllib.parse import quote, urlsplit

import pytest
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from database import compiled, engines
from models import Document, File, FilePart, Folder, Role, User
from resources import files
from seeds.pictures import picture
from seeds.samples import packed, printed, sound
from web import downloads, logs, mime

ALL = ("files:view", "files:create", "files:update", "files:delete")
MB = 1024 * 1024
PNG = picture(1)
HTML = b"<!doctype html><script>alert(document.domain)</script>"
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@pytest.fixture
def owner(client_with):
    return client_with(*ALL)


@pytest.fixture
def other(client_with):
    return client_with(*ALL)


@pytest.fixture
def guest(app):
    """Somebody without any token, such as an <img>."""
    return app.test_client()


def send(client, content=PNG, filename="图.png", mime="image/png", **fields):
    # Encoded here: for large bodies the test client opens temporary files that it leaves open.
    boundary, body = encode_multipart({**fields, "file": FileStorage(io.BytesIO(content), filename, "file", mime)})
    return client.post("/api/files/upload", data=body, content_type=f"multipart/form-data; boundary={boundary}")


def upload(client, *args, **fields):
    reply = send(client, *args, **fields)
    assert reply.status_code == 201, reply.json
    return reply.json["data"]


def bearer(client):
    return {"Authorization": f"Bearer {client.tokens['access_token']}"}


def new_folder(client, name="资料"):
    with engines.write():
        return Folder.create(name=name, owner=client.id).id


def ids(client, query=""):
    return [row["id"] for row in client.get(f"/api/files?{query}").json["data"]["items"]]


def total(client):
    return client.get("/api/files").json["data"]["total"]


def refused_fields(reply):
    assert reply.status_code == 400 and reply.json["error"]["code"] == "VALIDATION_ERROR", reply.json
    return [(d["field"], d["code"]) for d in reply.json["error"]["details"]]


# --- Uploading -------------------------------------------------------------------------------------------------------


def test_an_uploaded_file_comes_back_byte_for_byte(owner):
    file = upload(owner, PNG, "报告.png")
    assert (file["name"], file["size"], file["mimeType"], file["type"]) == ("报告.png", len(PNG), "image/png", "image")
    assert file["checksum"] == hashlib.sha256(PNG).hexdigest()
    assert file["ownerId"] == file["owner"]["id"] == owner.id
    assert file["folderId"] is None and file["isFavorite"] is False
    assert owner.get(f"/api/files/{file['id']}/download").data == PNG
    assert owner.get(f"/api/files/{file['id']}").json["data"] == file


def test_a_form_may_name_the_file_and_a_folder_of_ones_own(owner, other):
    folder = new_folder(owner)
    file = upload(owner, name="新名字.png", folderId=str(folder))
    assert (file["name"], file["folderId"]) == ("新名字.png", folder)
    assert refused_fields(send(other, folderId=str(folder))) == [("folderId", "unknown_id")]
    assert upload(owner, folderId="", name="")["folderId"] is None


def test_an_upload_without_a_file_is_refused_on_that_field(owner):
    form = {"content_type": "multipart/form-data"}
    assert refused_fields(owner.post("/api/files/upload", data={"name": "x"}, **form)) == [("file", "required")]
    assert refused_fields(owner.post("/api/files/upload", data={"file": "text"}, **form)) == [("file", "type")]
    assert refused_fields(send(owner, b"", "")) == [("file", "required")]
    assert refused_fields(send(owner, name="n" * 201)) == [("name", "too_long")]
    assert total(owner) == 0


def test_json_where_a_form_is_asked_for_is_415(owner):
    assert owner.post("/api/files/upload", {"file": "x"}).json["error"]["code"] == "UNSUPPORTED_MEDIA_TYPE"


def test_fields_that_a_form_does_not_have_are_named_in_the_reply(owner):
    assert send(owner, uid="rc-upload-1", folderId="").headers["X-Ignored-Fields"] == "uid"


def test_an_upload_is_documented_as_one_form(app):
    document = app.test_client().get("/openapi.json").json
    body = document["paths"]["/api/files/upload"]["post"]["requestBody"]["content"]
    assert list(body) == ["multipart/form-data"]
    schema = document["components"]["schemas"][body["multipart/form-data"]["schema"]["$ref"].rpartition("/")[2]]
    assert schema["properties"]["file"] == {"type": "string", "format": "binary"}
    assert set(schema["properties"]) == {"file", "name", "folderId"} and schema["required"] == ["file"]


def test_a_body_over_the_limit_is_refused_before_anybody_is_asked_who_they_are(app, owner, guest):
    app.config["MAX_UPLOAD_MB"] = 3
    assert upload(owner, b"\0" * 3 * MB)["size"] == 3 * MB
    assert send(owner, b"\0" * (3 * MB + 1)).json["error"]["code"] == "PAYLOAD_TOO_LARGE"
    assert send(guest, b"\0" * 4 * MB).json["error"]["code"] == "PAYLOAD_TOO_LARGE"
    assert send(owner, name="n" * 600_000).status_code == 413
    assert owner.put("/api/files/1", {"name": "n" * 3 * MB}).status_code == 413, "that of JSON stays"
    assert total(owner) == 1


def test_an_upload_that_breaks_off_leaves_nothing(serve):
    server = urlsplit(serve().url)
    connection = http.client.HTTPConnection(server.hostname, server.port, timeout=10)

    def call(method, path, body=None, **headers):
        connection.request(method, path, body, {"Content-Type": "application/json", **headers})
        return json.loads(connection.getresponse().read())

    login = {"email": "demo@halolight.h7ml.cn", "password": "123456"}
    bearer = {"Authorization": f"Bearer {call('POST', '/api/auth/login', json.dumps(login))['accessToken']}"}
    before = call("GET", "/api/files/storage", **bearer)["data"]
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n' + b"\1" * 300_000
    head = f"POST /api/files/upload HTTP/1.1\r\nHost: localhost\r\nAuthorization: {bearer['Authorization']}\r\n"
    head += "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 900000\r\n\r\n"
    with socket.create_connection((server.hostname, server.port)) as broken:
        broken.sendall(head.encode() + part)
    assert call("GET", "/api/files/storage", **bearer)["data"] == before
    connection.close()


def test_an_upload_without_room_for_its_temporary_files_is_503(owner, monkeypatch):
    def full(*args, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "describe", full)
    reply = send(owner)
    assert reply.status_code == 503 and reply.json["error"]["code"] == "SERVICE_UNAVAILABLE" and total(owner) == 0


# --- What the bytes are ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "mime_type", "kind"),
    [
        (PNG, "image/png", "image"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0\xff\xd9", "image/jpeg", "image"),
        (b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\1\0\1\0\0\2\2D\1\0;", "image/gif", "image"),
        (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf" + b"\0" * 9, "image/avif", "image"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + b"\0" * 9, "video/mp4", "video"),
        (b"\x1aE\xdf\xa3\x8bB\x82\x84webm\xff" + b"\0" * 9, "video/webm", "video"),
        (b"ID3\4\0\0\0\0\0\x21TSSE\0\xff", "audio/mpeg", "audio"),
        (sound(9), "audio/x-wav", "audio"),
        (printed("x"), "application/pdf", "document"),
        (packed({"word/document.xml": b"x"}), DOCX, "document"),
        (packed({"a.txt": b"x"}), "application/zip", "archive"),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\xff", "application/gzip", "archive"),
        ("你好\n".encode(), "text/plain", "document"),
        (b"BMW, ID3 and GIF are words", "text/plain", "document"),
        (b"", "text/plain", "document"),
        (b"\xef\xbb\xbf \n" + HTML, "text/html", "document"),
        (SVG, "image/svg+xml", "image"),
        (b"text with \0 in it", "application/octet-stream", "other"),
        (b"\xff\xfe\x80 nothing known", "application/octet-stream", "other"),
    ],
)
def test_what_a_file_is_its_bytes_say(content, mime_type, kind):
    described = mime.describe(io.BytesIO(content))
    assert (described["mime_type"], described["type"]) == (mime_type, kind)


@pytest.mark.parametrize("content", [HTML, SVG, b"<x/>", HTML.decode().encode("utf-16"), packed({"a.txt": b"x"})])
@pytest.mark.parametrize("mime", ["image/png", "text/plain"])
def test_what_could_run_in_a_browser_is_never_shown_whatever_it_is_called(owner, guest, content, mime):
    file = upload(owner, content, "photo.png", mime)
    for reply in (owner.get(f"/api/files/{file['id']}/download?inline=1"), guest.get(file["url"] + "?inline=1")):
        assert reply.headers["Content-Disposition"].startswith("attachment")
        assert reply.mimetype != "image/png" and reply.mimetype != "text/plain"
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["Content-Security-Policy"] == "sandbox"


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (PNG, "image/png"),
        (printed("x"), "application/pdf"),
        (sound(9), "audio/x-wav"),
        ("字<script>".encode(), "text/plain; charset=utf-8"),
    ],
)
def test_harmless_formats_are_shown_when_that_is_asked_for(owner, content, content_type):
    path = f"/api/files/{upload(owner, content, 'x', 'text/html')['id']}/download"
    shown, saved = owner.get(f"{path}?inline=1"), owner.get(path)
    assert shown.headers["Content-Disposition"].startswith("inline")
    assert saved.headers["Content-Disposition"].startswith("attachment")
    for reply in (shown, saved):
        assert reply.headers["Content-Type"] == content_type
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["Content-Security-Policy"] == "sandbox"


# --- Names -----------------------------------------------------------------------------------------------------------

HOSTILE = [
    ('a"; filename="b.exe', "a_; filename=_b.exe"),
    ("a\r\nSet-Cookie: x=1", "a__Set-Cookie: x=1"),
    ("../../etc/passwd", ".._.._etc_passwd"),
    ("C:\\fakepath\\图.png", "C:_fakepath_图.png"),
    ("photo\u202egnp.exe", "photo_gnp.exe"),
    ("报告 (1).png", "报告 (1).png"),
]


@pytest.mark.parametrize(("hostile", "stored"), HOSTILE)
def test_a_name_can_do_no_harm(owner, hostile, stored):
    by_field = upload(owner, name=hostile)
    body = b"--x\r\nContent-Disposition: form-data; name=file; filename*=UTF-8''%s\r\n\r\n1\r\n--x--\r\n"
    by_file = owner.post(
        "/api/files/upload",
        data=body % quote(hostile, safe="").encode(),
        content_type="multipart/form-data; boundary=x",
    ).json["data"]
    renamed = owner.put(f"/api/files/{by_field['id']}", {"name": hostile}).json["data"]
    assert by_field["name"] == by_file["name"] == renamed["name"] == stored
    assert "\n" not in owner.get(f"/api/files/{by_file['id']}/download").headers["Content-Disposition"]


def test_a_long_name_keeps_its_end_and_one_of_nothing_gets_one(owner):
    assert upload(owner, PNG, "n" * 300 + ".png")["name"] == "n" * 196 + ".png"
    assert upload(owner, PNG, "  ")["name"] == "file"
    assert refused_fields(send(owner, PNG, "x", name=" ")) == [("name", "too_short")]


def test_a_download_carries_the_name_in_utf_8(owner):
    file = upload(owner, PNG, "季度 报告.png")
    disposition = owner.get(f"/api/files/{file['id']}/download").headers["Content-Disposition"]
    assert disposition.isascii() and f"filename*=UTF-8''{quote('季度 报告.png')}" in disposition


# --- Downloading -----------------------------------------------------------------------------------------------------


def test_what_a_client_has_is_not_sent_again(owner):
    file = upload(owner)
    path = f"/api/files/{file['id']}/download"
    assert owner.get(path).headers["ETag"] == f'"{file["checksum"]}"'
    reply = owner.get(path, headers={"If-None-Match": f'"{file["checksum"]}"'})
    assert reply.status_code == 304 and reply.data == b""
    assert reply.headers["Cache-Control"].startswith("private")


def test_a_range_of_the_bytes_can_be_asked_for(owner):
    file = upload(owner, bytes(range(256)), "x.bin")
    path = f"/api/files/{file['id']}/download"
    reply = owner.get(path, headers={"Range": "bytes=10-19"})
    assert reply.status_code == 206 and reply.data == bytes(range(10, 20))
    assert reply.headers["Content-Range"] == "bytes 10-19/256"
    refused = owner.get(path, headers={"Range": "bytes=300-"})
    assert refused.status_code == 416 and refused.json["error"]["code"] == "RANGE_NOT_SATISFIABLE"
    assert refused.headers["Content-Range"] == "bytes */256"
    several = owner.get(path, headers={"Range": "bytes=0-1,5-6"})
    assert several.status_code == 200 and several.data == bytes(range(256))


def test_only_the_parts_that_are_sent_are_read(owner, monkeypatch):
    content = bytes(range(256)) * 4000  # four parts
    path = f"/api/files/{upload(owner, content)['id']}/download"
    parts, rows = [], compiled.rows
    monkeypatch.setattr(
        downloads, "rows", lambda *args, **values: parts.append(values["number"]) or rows(*args, **values)
    )
    assert owner.http.head(path, headers=bearer(owner)).content_length == len(content) and parts == []
    assert owner.get(path, headers={"Range": "bytes=300000-300000"}).data == content[300000:300001] and parts == [1]
    assert owner.get(path, headers={"Range": "bytes=262000-530000"}).data == content[262000:530001]
    assert owner.get(path, headers={"Range": "bytes=-7"}).data == content[-7:] and parts == [1, 0, 1, 2, 3]
    assert owner.get(path).data == content


# --- Who may ---------------------------------------------------------------------------------------------------------


def test_a_file_is_absent_for_others_but_for_who_manages_files(owner, other, client_with):
    path = f"/api/files/{upload(owner)['id']}"
    for reply in (other.get(path), other.get(f"{path}/download"), other.put(path, {"name": "x"}), other.delete(path)):
        assert reply.status_code == 404
    manager = client_with("files:*")
    assert manager.get(path).status_code == 200
    assert manager.put(path, {"name": "改.png"}).json["data"]["ownerId"] == owner.id
    assert manager.delete(path).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "permission"),
    [
        ("get", "/api/files", "files:view"),
        ("get", "/api/files/1/download", "files:view"),
        ("get", "/api/files/storage", "files:view"),
        ("post", "/api/files/upload", "files:create"),
        ("put", "/api/files/1", "files:update"),
        ("delete", "/api/files/1", "files:delete"),
        ("post", "/api/files/batch-delete", "files:delete"),
    ],
)
def test_each_route_asks_for_its_permission(client_with, method, path, permission):
    somebody = client_with(*(set(ALL) - {permission}))
    reply = getattr(somebody, method)(path)
    assert reply.status_code == 403 and permission in reply.json["message"]


# --- Links -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def later(monkeypatch):
    """A function that sets the clock ahead."""
    start = engines.now().replace(minute=30)
    monkeypatch.setattr(engines, "now", lambda: start)
    return lambda **ahead: monkeypatch.setattr(engines, "now", lambda: start + timedelta(**ahead))


def test_a_link_needs_no_header_and_is_the_same_for_an_hour(later, owner, guest):
    file = upload(owner)
    assert file["url"].startswith("http://localhost/api/files/raw/")
    reply = guest.get(file["url"])
    assert reply.data == PNG and reply.mimetype == "image/png"
    assert reply.headers["Cache-Control"] == "private, max-age=3600"
    assert guest.get(file["url"], headers={"Range": "bytes=0-3"}).status_code == 206
    assert owner.get(f"/api/files/{file['id']}").json["data"]["url"] == file["url"]
    later(minutes=14)
    assert owner.get("/api/files").json["data"]["items"][0]["url"] == file["url"]


def test_a_link_is_good_for_an_hour_at_least_and_for_two_at_most(later, owner, guest):
    url = upload(owner)["url"]
    later(minutes=89)
    assert guest.get(url).status_code == 200
    later(minutes=90)
    assert guest.get(url).json["error"]["code"] == "NOT_FOUND"


def test_a_link_cannot_be_made_or_changed(owner, guest):
    first, second = upload(owner)["url"], upload(owner)["url"]
    forged = second.rpartition("/")[2].partition(".")[0] + "." + first.rpartition(".")[2]
    for token in (forged, first.rpartition("/")[2][:-1], "1-1-1", "报告", "x" * 5000):
        assert guest.get(f"/api/files/raw/{token}").status_code == 404


def test_a_link_dies_with_the_right_to_see_the_file(owner, guest, client_with):
    manager = client_with("files:*")
    file = upload(owner)
    url, managers = file["url"], manager.get(f"/api/files/{file['id']}").json["data"]["url"]
    with engines.write():
        User.update(status="suspended").where(User.id == owner.id).execute()
    assert guest.get(url).status_code == 404 and guest.get(managers).status_code == 200
    with engines.write():
        User.update(status="active").where(User.id == owner.id).execute()
        Role.update(permissions=["files:create"]).where(Role.id == User.get_by_id(owner.id).role_id).execute()
        Role.update(permissions=["files:view"]).where(Role.id == User.get_by_id(manager.id).role_id).execute()
    assert guest.get(url).status_code == 404 and guest.get(managers).status_code == 404


@pytest.mark.parametrize("gone", ["file", "user"])
def test_a_link_dies_with_its_file_and_with_its_user(owner, guest, gone):
    file = upload(owner)
    with engines.write():
        (User.get_by_id(owner.id) if gone == "user" else File.get_by_id(file["id"])).delete_instance()
    assert guest.get(file["url"]).status_code == 404
    assert not FilePart.select().where(FilePart.file == file["id"]).exists()


def test_no_link_can_be_read_in_the_log_or_in_the_metrics(owner, guest, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    url = upload(owner)["url"]
    token = url.rpartition("/")[2]
    monkeypatch.setattr(downloads, "send_file", None)  # a bug
    assert guest.get(url).status_code == 500
    assert "TypeError" in caplog.text and token not in caplog.text
    assert token not in guest.get("/metrics").text
    by_waitress = logging.LogRecord("waitress", 20, "", 1, "Client disconnected while serving %s", (url,), None)
    assert logs.mask_paths(by_waitress) and by_waitress.getMessage().endswith("/api/files/raw/***")


# --- Room ------------------------------------------------------------------------------------------------------------


def test_the_storage_is_counted_by_type_and_per_user(app, owner, other):
    app.config["STORAGE_QUOTA_MB"] = 1
    upload(owner, b"\0" * 104858)
    upload(owner, PNG)
    upload(other)
    storage = owner.get("/api/files/storage").json["data"]
    assert storage["used"] == 104858 + len(PNG) and storage["total"] == MB
    assert storage["percentage"] == round(100 * storage["used"] / MB, 1)
    kinds = dict.fromkeys(File.TYPES, 0)
    assert storage["breakdown"] == {**kinds, "other": 104858, "image": len(PNG)}


def test_documents_take_room_among_the_files_of_their_kind(app, owner):
    with engines.write():
        Document.create(title="x", author=owner.id, content="中" * 300_000)
    app.config["STORAGE_QUOTA_MB"] = 1
    storage = owner.get("/api/files/storage").json["data"]
    assert storage["used"] == storage["breakdown"]["document"] == 900_000
    assert send(owner, b"x" * 200_000).status_code == 413 and send(owner, b"x" * 100_000).status_code == 201


def test_the_quota_holds_under_uploads_at_once(app, owner):
    app.config["STORAGE_QUOTA_MB"] = 1
    statuses, headers = [], {"Authorization": f"Bearer {owner.tokens['access_token']}"}

    def run():
        form = {"file": (io.BytesIO(b"\1" * 100_000), "x.bin")}
        reply = app.test_client().post("/api/files/upload", data=form, headers=headers)
        statuses.append((reply.status_code, reply.json.get("error", {}).get("code")))

    threads = [threading.Thread(target=run) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [(201, None)] * 10 + [(413, "PAYLOAD_TOO_LARGE")] * 6
    assert owner.get("/api/files/storage").json["data"]["used"] == 1_000_000


def test_what_is_deleted_makes_room(app, owner):
    app.config["STORAGE_QUOTA_MB"] = 1
    file = upload(owner, b"\0" * MB)
    assert send(owner, b"\0").status_code == 413
    assert owner.delete(f"/api/files/{file['id']}").json["data"] is None
    assert send(owner, b"\0" * MB).status_code == 201


# --- Changing, deleting, listing -------------------------------------------------------------------------------------


def test_a_file_is_renamed_moved_and_marked(owner):
    file, folder = upload(owner), new_folder(owner)
    path = f"/api/files/{file['id']}"
    change = {"name": "新.png", "folderId": folder, "isFavorite": True}
    changed = owner.put(path, change).json["data"]
    assert {**file, **change, "folderName": "资料", "updatedAt": changed["updatedAt"]} == changed
    assert owner.put(path, {"isFavorite": False}).json["data"]["folderId"] == folder
    assert owner.put(path, {"folderId": None}).json["data"]["folderId"] is None


def test_a_client_may_put_back_what_it_got(owner):
    file = upload(owner)
    reply = owner.put(f"/api/files/{file['id']}", file)
    assert reply.json["data"] == file and "X-Ignored-Fields" not in reply.headers


def test_a_file_goes_only_into_a_folder_of_its_owner(owner, other, client_with):
    path, manager = f"/api/files/{upload(owner)['id']}", client_with("files:*", "folders:*")
    assert refused_fields(owner.put(path, {"folderId": new_folder(other)})) == [("folderId", "unknown_id")]
    assert refused_fields(manager.put(path, {"folderId": new_folder(manager)})) == [("folderId", "unknown_id")]
    assert manager.put(path, {"folderId": new_folder(owner)}).status_code == 200


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"name": ""}, "too_short"),
        ({"name": None}, "null"),
        ({"name": "n" * 201}, "too_long"),
        ({"isFavorite": "maybe"}, "type"),
        ({"folderId": "x"}, "type"),
    ],
)
def test_bad_changes_are_refused_by_field(owner, change, code):
    reply = owner.put(f"/api/files/{upload(owner)['id']}", change)
    assert refused_fields(reply) == [(next(iter(change)), code)]


def test_a_batch_is_deleted_whole_or_not_at_all(owner, other):
    mine, foreign = [upload(owner)["id"], upload(owner)["id"]], upload(other)["id"]
    assert owner.post("/api/files/batch-delete", {"ids": [*mine, foreign]}).status_code == 404
    assert total(owner) == 2
    assert owner.post("/api/files/batch-delete", {"ids": mine}).json["data"] == {"deleted": 2}
    assert total(owner) == 0 and not FilePart.select().where(FilePart.file.in_(mine)).exists()


def test_files_are_filtered_searched_and_sorted(owner):
    folder = new_folder(owner)
    a, b, c = (upload(owner, content, name)["id"] for content, name in ((PNG, "甲.png"), (b"x", "乙"), (b"yy", "丙")))
    owner.put(f"/api/files/{b}", {"folderId": folder, "isFavorite": True})
    assert ids(owner, "type=image") == [a] and ids(owner, "type=all&sort=id") == [a, b, c]
    assert refused_fields(owner.get("/api/files?folderId=999999")) == [("folderId", "unknown_id")]
    assert ids(owner, f"folderId={folder}") == [b] and ids(owner, "folderId=root&sort=id") == [a, c]
    assert ids(owner, "isFavorite=true") == [b] and ids(owner, "isFavorite=false&sort=id") == [a, c]
    assert ids(owner, "search=乙") == [b] and ids(owner, "sort=-size") == [a, c, b]


def test_the_seeded_files_really_open(root):
    files = root.get("/api/files?pageSize=100").json["data"]["items"]
    assert len(files) == 40 and {file["type"] for file in files} == {"image", "document", "audio", "archive", "video"}
    assert len({file["size"] for file in files}) > 30
    for file in files:
        data = root.get(file["url"]).data
        assert len(data) == file["size"]
        if file["mimeType"] == "application/zip":
            assert zipfile.ZipFile(io.BytesIO(data)).testzip() is None
        if file["mimeType"] == "audio/x-wav":
            with wave.open(io.BytesIO(data)) as sound_file:
                assert sound_file.getnframes() >= 3 * 2000
        if file["mimeType"] == "application/pdf":
            _, count, *places = data.partition(b"xref\n0 ")[2].splitlines()[: 2 * data.count(b"/Type /Page ") + 5]
            heads = [data[int(place[:10]) :].split(b" ")[0] for place in places]
            assert heads == [b"%d" % number for number in range(1, len(places) + 1)]
