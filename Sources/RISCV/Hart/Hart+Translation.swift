package import HostSystem
package import TranslationRuntime

extension Hart: TranslatedProcessor {
    package var translation: UnsafeMutablePointer<TranslationState> {
        // A stored property of memory, which is at a fixed address.
        withUnsafeMutablePointer(to: &state.pointee.translation) { $0 }
    }

    package func requestCodeFence() -> UInt64 { requestFence(.instructions) }

    package func waitForCodeFence(_ request: UInt64) { waitForFence(request) }
}

extension Hart {
    /// Stores the code of a machine's harts in a file before it is removed (`trim`): `saveCode` writes what is in there. Before the first
    /// `run`.
    ///
    /// - Parameter file: empty, and used by nobody else.
    package static func storeCode(of harts: [Hart], in file: consuming FileDescriptor) {
        harts[0].state.pointee.translation.engine?.store(in: file)
    }

    /// Prepares `trim`. Harts may run.
    package static func prepareTrim(_ harts: [Hart]) { harts[0].state.pointee.translation.engine?.prepareTrim() }

    /// Gives all memory back that only makes a machine's harts fast: generated and decoded code, and caches. No thread is in `run`.
    package static func trim(_ harts: [Hart]) {
        harts[0].state.pointee.translation.engine?.trim()
        for hart in harts { hart.state.pointee.trim() }
    }
}

extension HartState {
    /// Forgets what can be found again, and gives its memory back.
    mutating func trim() {
        flushTranslations()
        data.trim()
        fetch.trim()
        blocks.trim()
        translation.trim()
        codeWatch?.trim()
        contextChanged()
    }

    /// Forgets removed code. Between runs of guest code.
    mutating func forgetRemovedCode() {
        if translation.forgetRemovedCode(at: retired) { flushInstructions() }
    }
}
