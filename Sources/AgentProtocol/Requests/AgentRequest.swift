/// The one request of a session.
package enum AgentRequest: Equatable {
    case execute(ExecuteRequest)
    case put(PutRequest)
    case get(GetRequest)
    case status(StatusRequest)
    case inform
    case configure(ConfigureRequest)
    case powerOff
    case reboot
    case ping
    case forward(ForwardRequest)
    case listen(ListenRequest)

    /// Nil if the frame is not a request.
    package init?(_ frame: Frame) throws(ProtocolFault) {
        switch frame.type {
        case .execute: self = .execute(try ExecuteRequest(payload: frame.payload))
        case .put: self = .put(try PutRequest(payload: frame.payload))
        case .get: self = .get(try GetRequest(payload: frame.payload))
        case .status: self = .status(try StatusRequest(payload: frame.payload))
        case .configure: self = .configure(try ConfigureRequest(payload: frame.payload))
        case .forward: self = .forward(try ForwardRequest(payload: frame.payload))
        case .listen: self = .listen(try ListenRequest(payload: frame.payload))
        case .inform, .powerOff, .reboot, .ping:
            guard frame.payload.isEmpty else { throw ProtocolFault.length }
            switch frame.type {
            case .inform: self = .inform
            case .powerOff: self = .powerOff
            case .reboot: self = .reboot
            default: self = .ping
            }
        default: return nil
        }
    }

    /// The frame to send, or nil if the request is larger than a frame's payload or a record's number of fields.
    package var frame: Frame? {
        switch self {
        case .execute(let request):
            request.fields <= AgentLimits.fields ? Self.frame(.execute, request.payload) : nil
        case .put(let request): Self.frame(.put, request.payload)
        case .get(let request):
            request.paths.count < AgentLimits.fields ? Self.frame(.get, request.payload) : nil
        case .status(let request): Self.frame(.status, request.payload)
        case .inform: Self.frame(.inform, [])
        case .configure(let request): Self.frame(.configure, request.payload)
        case .powerOff: Self.frame(.powerOff, [])
        case .reboot: Self.frame(.reboot, [])
        case .ping: Self.frame(.ping, [])
        case .forward(let request): Self.frame(.forward, request.payload)
        case .listen(let request): Self.frame(.listen, request.payload)
        }
    }

    private static func frame(_ type: FrameType, _ payload: [UInt8]) -> Frame? {
        payload.count <= AgentLimits.payload ? Frame(type, payload: payload) : nil
    }
}
