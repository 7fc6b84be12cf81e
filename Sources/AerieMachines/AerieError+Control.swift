internal import DiskImages
internal import GuestImages
internal import HostSystem

extension AerieError {
    init(image error: ImageError) {
        let category: Category =
            switch error.kind {
            case .usage: .usage
            case .badInput: .badInput
            case .unavailable: .unavailable
            case .internalFailure: .internalError
            }
        self.init(category, line: error.message)
    }

    /// Calls `body`, and turns an error of a lower module into an `AerieError`.
    ///
    /// - Parameter asked: the request, for errors that do not name it themselves.
    static func wrapping<Value>(
        _ asked: @autoclosure () -> String, _ body: () throws -> Value
    ) throws(AerieError) -> Value {
        do {
            return try body()
        } catch { throw AerieError(wrapping: error, asked()) }
    }

    init(wrapping error: any Error, _ asked: String) {
        switch error {
        case let error as AerieError: self = error
        case let error as ImageError: self.init(image: error)
        case let error as DiskImageError: self.init(disk: error)
        case let error as SystemError: self.init(opening: asked, error)
        case is CancellationError: self = .cancelled(asked)
        default: self.init(.internalError, asked: asked, found: "\(error)")
        }
    }
}
