/// The type of a frame: requests of the client from 1, messages of a session from 32, answers of the agent from 48.
package enum FrameType: UInt8 {
    case hello = 1
    case execute = 2
    case put = 3
    case get = 4
    case status = 5
    case inform = 6
    case configure = 7
    case powerOff = 8
    case reboot = 9
    case ping = 10
    case forward = 11
    case listen = 12

    case data = 32
    case end = 33
    case credit = 34
    case signal = 35
    case window = 36

    case started = 48
    case exit = 49
    case done = 50
    case fileStatus = 51
    case information = 52
    case arrived = 53
    case error = 63

    /// The largest payload, in bytes.
    package var largestPayload: Int { self == .data ? AgentLimits.data : AgentLimits.payload }
    /// Whether the header's stream has a meaning. For the other types it must be zero.
    package var hasStream: Bool { self == .data || self == .end }
}
