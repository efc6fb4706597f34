// What a worker takes over before it runs commands.
// See message.h. Owns nothing.
#include "session/shared/message.h"

extern "C" {
#include "utils/snapmgr.h"
}

namespace pllua_bg::session {

void write_reuse(Channel *channel, const ReuseMessage &reuse) {
    put_frame(channel, MessageType::kReuse, reuse.setup, reuse.length);
}

ReuseMessage read_reuse(const Frame &frame) { return {frame.payload, frame.length}; }

namespace {

// The setup and the frames follow.
struct GroupHeader {
    CommandId id;
    int64 lifetime;
    uint32 segment;
    uint32 setup_length;
};
static_assert(sizeof(GroupHeader) == 24);

} // namespace

char *write_group(Channel *channel, const GroupMessage &group) {
    const GroupHeader header = {group.id, group.lifetime, group.segment,
                                static_cast<uint32>(group.setup_length)};
    const Size setup_size = MAXALIGN(group.setup_length);
    char *at = begin_frame(channel, MessageType::kGroup, sizeof header + setup_size + group.length);
    memcpy(at, &header, sizeof header);
    memset(at + sizeof header, 0, setup_size);
    memcpy(at + sizeof header, group.setup, group.setup_length);
    return at + sizeof header + setup_size;
}

GroupMessage read_group(const Frame &frame) {
    GroupHeader header;
    memcpy(&header, frame.payload, sizeof header);
    const Size before = sizeof header + MAXALIGN(header.setup_length);
    return {header.id,
            header.lifetime,
            frame.payload + sizeof header,
            header.setup_length,
            header.segment,
            header.segment == 0 ? frame.payload + before : nullptr,
            frame.length - before};
}

Size frame_size(Size length) { return sizeof(FrameHeader) + MAXALIGN(length); }

char *write_frame(char *at, MessageType type, const void *payload, Size length) {
    const FrameHeader header = {static_cast<uint32>(length), type};
    memcpy(at, &header, sizeof header);
    memcpy(at + sizeof header, payload, length);
    memset(at + sizeof header + length, 0, MAXALIGN(length) - length);
    return at + sizeof header + MAXALIGN(length);
}

void append_libraries(StringInfo setup) {
    Size size = EstimateLibraryStateSpace();
    SerializeLibraryState(size, append_frame(setup, MessageType::kLibraries, size));
}

LibrariesMessage read_libraries(const Frame &frame) { return {const_cast<char *>(frame.payload)}; }

namespace {

// The name and the value follow, with their ends.
struct SettingHeader {
    Oid setter;
    int32 source;
    bool imposed;
    bool known;
};
static_assert(sizeof(SettingHeader) == 12);

// The serialized snapshot follows, which has to be aligned.
struct SnapshotHeader {
    LocalTransactionId transaction;
    uint32 padding;
};
static_assert(sizeof(SnapshotHeader) == 8);

} // namespace

void append_setting(StringInfo setup, const SettingMessage &setting) {
    SettingHeader header = {};
    header.setter = setting.setter;
    header.source = setting.source;
    header.imposed = setting.imposed;
    header.known = setting.known;
    Size name_size = strlen(setting.name) + 1;
    Size value_size = strlen(setting.value) + 1;
    char *at = append_frame(setup, MessageType::kSetting, sizeof header + name_size + value_size);
    memcpy(at, &header, sizeof header);
    memcpy(at + sizeof header, setting.name, name_size);
    memcpy(at + sizeof header + name_size, setting.value, value_size);
}

SettingMessage read_setting(const Frame &frame) {
    SettingHeader header;
    memcpy(&header, frame.payload, sizeof header);
    const char *name = frame.payload + sizeof header;
    const char *value = name + strlen(name) + 1;
    return {header.setter, header.imposed, header.known, static_cast<GucSource>(header.source),
            name,          value};
}

void append_server(StringInfo setup, const ServerMessage &server) {
    const Size size = strlen(server.name) + 1;
    char *at = append_frame(setup, MessageType::kServer, sizeof server.secret + size);
    memcpy(at, &server.secret, sizeof server.secret);
    memcpy(at + sizeof server.secret, server.name, size);
}

ServerMessage read_server(const Frame &frame) {
    ServerMessage server;
    memcpy(&server.secret, frame.payload, sizeof server.secret);
    server.name = frame.payload + sizeof server.secret;
    return server;
}

void append_snapshot(StringInfo setup, const SnapshotMessage &snapshot) {
    const SnapshotHeader header = {snapshot.transaction, 0};
    char *at = append_frame(setup, MessageType::kSnapshot,
                            sizeof header + EstimateSnapshotSpace(snapshot.snapshot));
    memcpy(at, &header, sizeof header);
    SerializeSnapshot(snapshot.snapshot, at + sizeof header);
}

SnapshotMessage read_snapshot(const Frame &frame) {
    SnapshotHeader header;
    memcpy(&header, frame.payload, sizeof header);
    return {header.transaction, RestoreSnapshot(const_cast<char *>(frame.payload) + sizeof header)};
}

} // namespace pllua_bg::session
