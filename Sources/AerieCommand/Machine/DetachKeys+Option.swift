internal import HostSystem

extension DetachKeys {
    /// Reads the value of `--detach-keys`.
    init(option text: String) throws(AgentVerbError) {
        guard let keys = DetachKeys(parsing: text) else {
            throw AgentVerbError(
                .usage, asked: "--detach-keys", found: "'\(text)' is not a valid sequence of keys",
                advice: "give ctrl-LETTER or single characters, separated by commas, such as ctrl-p,ctrl-q")
        }
        self = keys
    }
}
