internal import Glibc

/// Files that go with the answer to a request.
enum AnswerFiles {
    case none
    /// They are open as long as the machine.
    case machines([Int32])
    /// It is closed when the answer has been sent.
    case owned(Int32)

    var descriptors: [Int32] {
        switch self {
        case .none: []
        case .machines(let descriptors): descriptors
        case .owned(let descriptor): [descriptor]
        }
    }

    mutating func close() {
        if case .owned(let descriptor) = self { Glibc.close(descriptor) }
        self = .none
    }
}
