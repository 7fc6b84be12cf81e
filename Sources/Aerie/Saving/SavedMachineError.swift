internal import DiskImages
internal import HostSystem
internal import SavedState

/// Why a machine could not be saved or read back.
enum SavedMachineError: Error, CustomStringConvertible {
    case state(SavedStateError)
    case system(SystemError)
    case disk(DiskImageError)

    var description: String {
        switch self {
        case .state(let error): error.description
        case .system(let error): error.description
        case .disk(let error): error.description
        }
    }
}
