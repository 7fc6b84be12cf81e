internal import CJail
internal import Glibc
internal import HostSystem

/// A message that has arrived, with its descriptors.
struct ReceivedMessage: ~Copyable {
    let kind: JailMessageKind?
    let sequence: UInt32
    let argument: UInt32
    let result: UInt32
    /// The sender's process; 0 where the socket does not report it.
    let sender: Int32
    private(set) var first: FileDescriptor?
    private(set) var second: FileDescriptor?

    /// Receives the next message without waiting; nil when there is none, or none of the right size.
    static func next(from socket: Int32) -> ReceivedMessage? {
        switch Reception(from: socket) {
        case .message(let message): message
        case .none: nil
        case .malformed: nil
        case .end: nil
        }
    }

    fileprivate init(_ message: aerie_jail_message, _ descriptors: [Int32], sender: Int32) {
        kind = JailMessageKind(rawValue: message.kind)
        sequence = message.sequence
        argument = message.argument
        result = message.result
        self.sender = sender
        first = descriptors[0] < 0 ? nil : FileDescriptor(owning: descriptors[0])
        second = descriptors[1] < 0 ? nil : FileDescriptor(owning: descriptors[1])
    }

    mutating func takeFirst() -> FileDescriptor? { first.take() }
    mutating func takeSecond() -> FileDescriptor? { second.take() }
}

/// The result of a look for a message.
enum Reception: ~Copyable {
    case message(ReceivedMessage)
    case none
    /// A message that is not one of ours.
    case malformed
    case end

    init(from socket: Int32) {
        var message = aerie_jail_message()
        var descriptors: [Int32] = [-1, -1]
        var sender: Int32 = 0
        switch aerie_jail_receive(socket, &message, &descriptors, &sender) {
        case 1: self = .message(ReceivedMessage(message, descriptors, sender: sender))
        case 0: self = .end
        default: self = SystemError.last("recvmsg").code == EBADMSG ? .malformed : .none
        }
    }
}
