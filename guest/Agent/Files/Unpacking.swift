final class Unpacking: Work {
    init(_ session: Session, _ request: PutRequest) throws(AgentFailure) { throw AgentFailure(.unsupported, text: []) }
}
final class Packing: Work {
    init(_ session: Session, _ request: GetRequest) throws(AgentFailure) { throw AgentFailure(.unsupported, text: []) }
}
