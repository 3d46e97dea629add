-- Rows of every table, made by version 1 and good for the later ones. `bytes('6162', 2)` stands for the bytes abab.
INSERT INTO "roles" ("id", "created_at", "updated_at", "name", "label", "description", "permissions", "is_system") VALUES
    ('1', '2026-11-24 21:00:08.871539', '2026-11-24 21:00:08.871550', 'super_admin', '超级管理员', '可以做任何事', '["*"]', '1'),
    ('2', '2026-11-24 21:00:08.871539', '2026-11-24 21:00:08.871550', 'admin', '管理员', '管理用户和所有内容', '["users:*", "roles:view", "permissions:view", "teams:*", "documents:*", "files:*", "folders:*", "messages:*", "notifications:*", "calendar:*", "tasks:*", "dashboard:*", "analytics:*", "settings:*"]', '1'),
    ('3', '2026-11-24 21:00:08.871539', '2026-11-24 21:00:08.871550', 'user', '普通用户', '使用自己的内容和共享给自己的内容', '["dashboard:view", "teams:view", "documents:view", "documents:create", "documents:update", "documents:delete", "files:view", "files:create", "files:update", "files:delete", "folders:view", "folders:create", "folders:update", "folders:delete", "messages:view", "messages:create", "messages:update", "messages:delete", "calendar:view", "calendar:create", "calendar:update", "calendar:delete", "tasks:view", "tasks:create", "tasks:update", "tasks:delete", "notifications:view", "notifications:update", "notifications:delete"]', '1'),
    ('4', '2026-11-24 21:00:08.871539', '2026-11-24 21:00:08.871550', 'guest', '访客', '只能查看仪表盘', '["dashboard:view"]', '1');
INSERT INTO "users" ("id", "created_at", "updated_at", "email", "username", "username_key", "name", "avatar", "phone", "department", "position", "bio", "status", "role_id", "password_hash", "last_login_at") VALUES
    ('1', '2026-01-13 23:01:00', '2026-01-13 23:01:00', 'admin@example.com', 'admin', 'admin', '系统管理员', NULL, '13800138001', '技术部', '系统管理员', '技术部系统管理员，很高兴认识大家。', 'active', '1', 'pbkdf2:sha256:1$fnb9yYOfQk82YpoH$615da7f2174606e169c5462486e0676a33ab8d22b1252b1af485c1a70851031e', '2026-11-24 21:00:09.363076'),
    ('2', '2026-01-29 23:02:00', '2026-01-29 23:02:00', 'admin@halolight.h7ml.cn', 'halo', 'halo', '光环', NULL, '13800138002', '技术部', '技术总监', '技术部技术总监，很高兴认识大家。', 'active', '1', 'pbkdf2:sha256:1$fnb9yYOfQk82YpoH$615da7f2174606e169c5462486e0676a33ab8d22b1252b1af485c1a70851031e', '2026-11-22 02:02:00'),
    ('3', '2026-02-13 23:03:00', '2026-02-13 23:03:00', 'manager@halolight.h7ml.cn', 'manager', 'manager', '李经理', NULL, '13800138003', '运营部', '运营经理', '运营部运营经理，很高兴认识大家。', 'active', '2', 'pbkdf2:sha256:1$fnb9yYOfQk82YpoH$615da7f2174606e169c5462486e0676a33ab8d22b1252b1af485c1a70851031e', '2026-11-21 03:03:00'),
    ('4', '2026-02-28 23:04:00', '2026-02-28 23:04:00', 'demo@halolight.h7ml.cn', 'demo', 'demo', '王小明', NULL, '13800138004', '产品部', '产品经理', '产品部产品经理，很高兴认识大家。', 'active', '3', 'pbkdf2:sha256:1$fnb9yYOfQk82YpoH$615da7f2174606e169c5462486e0676a33ab8d22b1252b1af485c1a70851031e', '2026-11-24 21:00:09.376970'),
    ('5', '2026-03-14 23:05:00', '2026-03-14 23:05:00', 'guest@halolight.h7ml.cn', 'guest', 'guest', '访客', NULL, '13800138005', '', '', '', 'active', '4', 'pbkdf2:sha256:1$fnb9yYOfQk82YpoH$615da7f2174606e169c5462486e0676a33ab8d22b1252b1af485c1a70851031e', '2026-11-19 05:05:00'),
    ('6', '2026-03-28 23:06:00', '2026-03-28 23:06:00', 'zhangwei@halolight.h7ml.cn', 'zhangwei', 'zhangwei', '张伟', NULL, '13800138006', '技术部', '后端工程师', '技术部后端工程师，很高兴认识大家。', 'active', '2', 'pbkdf2:sha256:1$fnb9yYOfQk82YpoH$615da7f2174606e169c5462486e0676a33ab8d22b1252b1af485c1a70851031e', '2026-11-18 06:06:00'),
    ('7', '2026-04-11 23:07:00', '2026-04-11 23:07:00', 'wangfang@halolight.h7ml.cn', 'wangfang', 'wangfang', '王芳', NULL, '13800138007', '市场部', '市场专员', '市场部市场专员，很高兴认识大家。', 'inactive', '3', 'pbkdf2:sha256:1$fnb9yYOfQk82YpoH$615da7f2174606e169c5462486e0676a33ab8d22b1252b1af485c1a70851031e', NULL);
INSERT INTO "activities" ("id", "user_id", "action", "target_type", "target_id", "target_name", "created_at") VALUES
    ('1', '2', 'update', 'document', '1', '2026 年度产品规划', '2026-11-12 07:01:00'),
    ('2', '3', 'update', 'document', '2', '员工手册', '2026-11-12 09:02:00'),
    ('3', '4', 'create', 'document', '3', '后台架构设计', '2026-11-13 03:03:00'),
    ('4', '1', 'update', 'document', '4', '用户调研报告', '2026-11-13 05:04:00'),
    ('51', '4', 'create', 'file', '41', 'large.txt', '2026-11-24 21:00:09.466908'),
    ('52', '4', 'create', 'file', '42', 'empty.txt', '2026-11-24 21:00:09.485418'),
    ('53', '4', 'create', 'message', '183', '', '2026-11-24 21:00:09.497070'),
    ('54', '4', 'create', 'task', '21', 'x', '2026-11-24 21:00:09.504639'),
    ('55', '4', 'delete', 'task', '21', 'x', '2026-11-24 21:00:09.517495');
INSERT INTO "conversations" ("id", "created_at", "updated_at", "type", "name", "pair") VALUES
    ('1', '2026-11-24 01:01:00', '2026-11-24 05:01:00', 'private', '', '3:4'),
    ('2', '2026-11-24 01:02:00', '2026-11-24 06:42:00', 'private', '', '4:8'),
    ('3', '2026-11-23 01:03:00', '2026-11-23 04:03:00', 'private', '', '1:4'),
    ('4', '2026-11-23 01:04:00', '2026-11-23 05:44:00', 'private', '', '1:2'),
    ('14', '2026-11-24 21:00:09.495997', '2026-11-24 21:00:09.496317', 'private', '', '2:4');
INSERT INTO "conversation_members" ("id", "conversation_id", "user_id", "away") VALUES
    ('1', '1', '4', '0'),
    ('2', '1', '3', '0'),
    ('3', '2', '4', '0'),
    ('5', '3', '1', '0'),
    ('6', '3', '4', '0'),
    ('7', '4', '2', '0'),
    ('8', '4', '1', '0'),
    ('69', '14', '4', '0'),
    ('70', '14', '2', '0');
INSERT INTO "folders" ("id", "created_at", "updated_at", "name", "parent_id", "owner_id") VALUES
    ('1', '2026-08-18 02:00:00', '2026-08-18 02:00:00', '项目资料', NULL, '4'),
    ('2', '2026-08-19 02:00:00', '2026-08-19 02:00:00', '需求文档', '1', '4'),
    ('3', '2026-08-20 02:00:00', '2026-08-20 02:00:00', '设计稿', '1', '4'),
    ('4', '2026-08-21 02:00:00', '2026-08-21 02:00:00', '会议纪要', NULL, '4'),
    ('5', '2026-08-22 02:00:00', '2026-08-22 02:00:00', '公司制度', NULL, '1'),
    ('6', '2026-08-23 02:00:00', '2026-08-23 02:00:00', '技术文档', NULL, '2'),
    ('7', '2026-08-24 02:00:00', '2026-08-24 02:00:00', '接口文档', '6', '2');
INSERT INTO "documents" ("id", "created_at", "updated_at", "title", "content", "type", "size", "folder_id", "author_id") VALUES
    ('1', '2026-08-25 01:01:00', '2026-08-26 07:01:00', '2026 年度产品规划', '# 2026 年度产品规划

## 背景

2026 年度产品规划由系统管理员整理，供团队讨论。

## 结论

- 目标清晰
- 按周跟进
', 'document', '149', '5', '1'),
    ('2', '2026-08-28 01:02:00', '2026-08-30 07:02:00', '员工手册', '# 员工手册

## 背景

员工手册由光环整理，供团队讨论。

## 结论

- 目标清晰
- 按周跟进
', 'pdf', '118', '7', '2'),
    ('3', '2026-08-31 01:03:00', '2026-09-03 07:03:00', '后台架构设计', '# 后台架构设计

## 背景

后台架构设计由王小明整理，供团队讨论。

## 结论

- 目标清晰
- 按周跟进
', 'document', '133', '2', '4'),
    ('4', '2026-09-03 01:04:00', '2026-09-03 07:04:00', '用户调研报告', '# 用户调研报告

## 背景

用户调研报告由李经理整理，供团队讨论。

## 结论

- 目标清晰
- 按周跟进
', 'document', '133', NULL, '3'),
    ('6', '2026-09-09 01:06:00', '2026-09-11 07:06:00', '首页改版方案', '# 首页改版方案

## 背景

首页改版方案由光环整理，供团队讨论。

## 结论

- 目标清晰
- 按周跟进
', 'presentation', '130', '7', '2');
INSERT INTO "document_readers" ("id", "document_id", "user_id") VALUES
    ('1', '1', '1'),
    ('2', '1', '2'),
    ('3', '1', '3'),
    ('4', '1', '4'),
    ('5', '1', '5'),
    ('6', '1', '6'),
    ('7', '1', '7'),
    ('8', '2', '1'),
    ('9', '3', '1'),
    ('10', '3', '2'),
    ('11', '3', '3'),
    ('12', '3', '4'),
    ('13', '3', '5'),
    ('14', '3', '6'),
    ('15', '3', '7'),
    ('17', '4', '1'),
    ('18', '4', '2'),
    ('28', '6', '1'),
    ('29', '6', '2'),
    ('30', '6', '3');
INSERT INTO "document_shares" ("id", "document_id", "user_id", "permission") VALUES
    ('1', '1', '2', 'edit'),
    ('2', '2', '4', 'view'),
    ('3', '4', '4', 'view');
INSERT INTO "document_tags" ("id", "document_id", "name") VALUES
    ('1', '1', '重要'),
    ('2', '1', '规划'),
    ('3', '2', '制度'),
    ('4', '3', '技术'),
    ('5', '3', '重要'),
    ('6', '4', '调研'),
    ('8', '6', '规划'),
    ('9', '6', '设计');
INSERT INTO "events" ("id", "created_at", "updated_at", "title", "description", "start", "end", "all_day", "type", "location", "color", "organizer_id") VALUES
    ('1', '2026-11-05 02:01:00', '2026-11-05 02:01:00', '产品评审', '', '2026-11-17 02:00:00', '2026-11-17 03:00:00', '0', 'meeting', '二号会议室', '#409eff', '2'),
    ('4', '2026-11-06 02:04:00', '2026-11-06 02:04:00', '客户拜访', '', '2026-11-20 05:00:00', '2026-11-20 06:00:00', '0', 'meeting', '客户公司', '#409eff', '1'),
    ('20', '2026-11-11 02:20:00', '2026-11-11 02:20:00', '客户拜访', '', '2026-11-29 05:00:00', '2026-11-29 06:00:00', '0', 'meeting', '客户公司', '#409eff', '1');
INSERT INTO "event_attendees" ("id", "event_id", "user_id", "status") VALUES
    ('1', '1', '3', 'pending'),
    ('13', '4', '2', 'accepted'),
    ('77', '20', '2', 'accepted');
INSERT INTO "failed_attempts" ("id", "key", "at") VALUES
    ('3', 'user:4', '2026-11-24 21:00:09.415955'),
    ('4', 'user:4', '2026-11-24 21:00:09.426810');
INSERT INTO "files" ("id", "created_at", "updated_at", "name", "size", "mime_type", "type", "folder_id", "is_favorite", "checksum", "owner_id") VALUES
    ('2', '2026-09-08 02:02:00', '2026-09-08 02:02:00', '季度汇报.csv', '40', 'text/plain', 'document', '6', '0', 'f1f33f2f81236310330d1865e249ce422169166dcfd83054e00aaf4683e46331', '2'),
    ('3', '2026-09-10 02:03:00', '2026-09-10 02:03:00', '季度汇报.pdf', '584', 'application/pdf', 'document', NULL, '0', 'ef2a59639148c1705b3eba000d99b736926c71b31daf88d55b8debc9fb747968', '4'),
    ('6', '2026-09-16 02:06:00', '2026-09-16 02:06:00', '产品发布会.png', '4708', 'image/png', 'image', NULL, '1', '1130e2798922ab9cb5cda2fd0174681ebeb6f1c74e891ef02f1e7eae858a242d', '6'),
    ('9', '2026-09-22 02:09:00', '2026-09-22 02:09:00', '产品发布会.wav', '2044', 'audio/x-wav', 'audio', NULL, '0', '19c9e3ca31f1dbba7f433394d8009e386a7d1a4dc1dfe2782bad82dd5b0eea53', '1'),
    ('41', '2026-11-24 21:00:09.460863', '2026-11-24 21:00:09.460866', 'large.txt', '300992', 'text/plain', 'document', NULL, '0', '2534205717664e31297330ca15d55553a571be669cef252f380c912936072ea4', '4'),
    ('42', '2026-11-24 21:00:09.484961', '2026-11-24 21:00:09.484965', 'empty.txt', '0', 'text/plain', 'document', NULL, '0', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', '4');
INSERT INTO "mails" ("id", "user_id", "used", "created_at") VALUES
    ('1', '4', '0', '2026-11-24 21:00:09.426983');
INSERT INTO "messages" ("id", "conversation_id", "sender_id", "content", "type", "created_at") VALUES
    ('9', '1', '4', '登录页我这边一切正常。', 'text', '2026-11-24 03:41:00'),
    ('18', '2', '4', '测试环境已经部署完成。', 'text', '2026-11-24 02:22:00'),
    ('36', '3', '1', '好的，马上写。', 'text', '2026-11-23 02:23:00'),
    ('45', '4', '2', '太好了，继续保持。', 'text', '2026-11-23 02:04:00'),
    ('54', '4', '2', '新版首页的设计稿已经上传。', 'text', '2026-11-23 05:04:00'),
    ('183', '14', '4', '你好', 'text', '2026-11-24 21:00:09.496245');
INSERT INTO "message_marks" ("id", "message_id", "conversation_id", "user_id", "read") VALUES
    ('17', '9', '1', '4', '1'),
    ('18', '9', '1', '3', '1'),
    ('35', '18', '2', '4', '1'),
    ('71', '36', '3', '1', '1'),
    ('72', '36', '3', '4', '1'),
    ('89', '45', '4', '2', '1'),
    ('90', '45', '4', '1', '1'),
    ('107', '54', '4', '2', '1'),
    ('108', '54', '4', '1', '1'),
    ('810', '183', '14', '4', '1'),
    ('811', '183', '14', '2', '0');
INSERT INTO "notifications" ("id", "user_id", "type", "title", "content", "link", "target_type", "target_id", "read", "read_at", "created_at") VALUES
    ('27', '2', 'task', 'You were given a task', '准备季度汇报', '/tasks', NULL, NULL, '1', '2026-11-18 22:01:00', '2026-11-18 22:01:00'),
    ('31', '2', 'system', 'Maintenance tonight', '23:00 至 23:30 暂停服务。', '', NULL, NULL, '1', '2026-11-19 22:05:00', '2026-11-19 22:05:00'),
    ('35', '2', 'system', 'Welcome to HaloLight', '从左侧菜单开始，看看有哪些功能。', '', NULL, NULL, '1', '2026-11-20 22:09:00', '2026-11-20 22:09:00'),
    ('39', '2', 'user', 'Your role was changed', '刷新页面即可看到新的菜单。', '', NULL, NULL, '0', NULL, '2026-11-21 22:13:00'),
    ('43', '2', 'alert', 'Login from a new device', 'Chrome · macOS · 上海', '/settings', NULL, NULL, '0', NULL, '2026-11-22 22:17:00'),
    ('47', '3', 'message', 'New message', '太好了，继续保持。', '/messages', 'message', '13', '0', NULL, '2026-11-24 05:01:00'),
    ('51', '4', 'message', 'New message', '太好了，继续保持。', '/messages', 'message', '103', '0', NULL, '2026-11-22 05:47:00'),
    ('55', '1', 'message', 'New message', '好的，我今天改完。', '/messages', 'message', '146', '0', NULL, '2026-11-21 06:50:00'),
    ('59', '1', 'message', 'New message', '订好了，在 302。', '/messages', 'message', '158', '0', NULL, '2026-11-21 04:31:00'),
    ('61', '2', 'message', 'New message', '你好', '/messages', 'message', '183', '0', NULL, '2026-11-24 21:00:09.496974');
INSERT INTO "orders" ("id", "user_id", "status", "amount", "cost", "created_at") VALUES
    ('1', '7', 'paid', '33799', '18927', '2024-11-24 02:01:00'),
    ('2', NULL, 'paid', '37599', '21431', '2024-11-26 03:02:00'),
    ('3', NULL, 'pending', '41399', '24011', '2024-11-28 04:03:00'),
    ('4', NULL, 'paid', '45199', '26667', '2024-11-30 05:04:00');
INSERT INTO "sessions" ("id", "user_id", "epoch", "device", "address", "created_at", "last_used_at", "expires_at", "ended_at") VALUES
    ('1', '1', '0', 'Werkzeug/3.1.9', '127.0.0.1', '2026-11-24 21:00:09.363371', '2026-11-24 21:00:09.363373', '2026-12-24 21:00:09.363076', NULL),
    ('2', '4', '0', 'Werkzeug/3.1.9', '127.0.0.1', '2026-11-24 21:00:09.377121', '2026-11-24 21:00:09.377122', '2026-12-24 21:00:09.376970', NULL);
INSERT INTO "refresh_tokens" ("id", "jti", "session_id", "issued_at", "expires_at", "spent_at") VALUES
    ('1', 'jti-1', '1', '1795554009', '1796158809', NULL),
    ('2', 'jti-2', '2', '1795554009', '1796158809', NULL);
INSERT INTO "tasks" ("id", "created_at", "updated_at", "title", "description", "status", "priority", "due_date", "progress", "assignee_id", "creator_id") VALUES
    ('1', '2026-10-27 02:01:00', '2026-10-27 02:01:00', '整理需求文档', '', 'in_progress', 'low', '2026-11-28', '13', '1', '2'),
    ('2', '2026-10-28 02:02:00', '2026-10-28 02:02:00', '修复登录页样式', '', 'done', 'low', '2026-12-05', '100', '1', '3'),
    ('3', '2026-10-29 02:03:00', '2026-10-29 02:03:00', '准备季度汇报', '', 'pending', 'medium', '2026-11-23', '0', '1', '4'),
    ('4', '2026-10-30 02:04:00', '2026-10-30 02:04:00', '更新接口文档', '', 'in_progress', 'medium', '2026-11-30', '22', '2', '1'),
    ('5', '2026-10-31 02:05:00', '2026-10-31 02:05:00', '回访重点客户', '', 'done', 'medium', '2026-12-07', '100', NULL, '2');
-- The highest id that was given, of a row that is gone.
INSERT INTO "tasks" (id, created_at, updated_at, title, description, status, priority, progress, creator_id) SELECT 99, created_at, updated_at, title, description, status, priority, progress, creator_id FROM "tasks" WHERE id = (SELECT min(id) FROM "tasks");
DELETE FROM "tasks" WHERE id = 99;
INSERT INTO "teams" ("id", "created_at", "updated_at", "name", "description", "avatar") VALUES
    ('1', '2026-09-06 01:00:00', '2026-09-06 01:00:00', '技术团队', '后端、前端、测试与运维', NULL),
    ('2', '2026-09-16 01:00:00', '2026-09-16 01:00:00', '产品团队', '产品规划、设计与数据分析', NULL),
    ('3', '2026-09-26 01:00:00', '2026-09-26 01:00:00', '市场团队', '市场、销售与运营', NULL),
    ('4', '2026-10-06 01:00:00', '2026-10-06 01:00:00', '光环项目组', '跨部门的后台改版项目', NULL);
INSERT INTO "team_members" ("id", "team_id", "user_id", "role") VALUES
    ('1', '1', '2', 'admin'),
    ('2', '1', '1', 'member'),
    ('3', '1', '6', 'member'),
    ('8', '2', '4', 'admin'),
    ('14', '3', '3', 'admin'),
    ('15', '3', '7', 'member'),
    ('21', '4', '1', 'admin'),
    ('22', '4', '2', 'member'),
    ('23', '4', '3', 'member'),
    ('24', '4', '4', 'member');
INSERT INTO "visits" ("id", "visitor", "pages", "at") VALUES
    ('1847', 'visitor30', '3', '2026-11-25 06:20:00'),
    ('1848', 'visitor34', '4', '2026-11-25 07:27:00'),
    ('1849', '1', '1', '2026-11-24 21:00:09.363466'),
    ('1850', '4', '1', '2026-11-24 21:00:09.377193');
INSERT INTO "settings" ("key", "value") VALUES ('secret', 'the secret of a test, which signs nothing else');
INSERT INTO "settings" ("key", "value") VALUES ('demo_password', 'pbkdf2:sha256:1$fnb9yYOfQk82YpoH$615da7f2174606e169c5462486e0676a33ab8d22b1252b1af485c1a70851031e');
INSERT INTO "settings" ("key", "value") VALUES ('seeded', '2026-11-25');
