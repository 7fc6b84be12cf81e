import KVMEngine

/// Whether this host runs x86-64 machines.
enum X86Host {
    /// Why not; nil when it does.
    static let refusal: String? = {
        do throws(KVMError) {
            _ = try KVMSystem()
            return nil
        } catch {
            print("x86-64 machines are not tested: \(error)")
            return error.description
        }
    }()
}
