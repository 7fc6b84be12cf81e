// Users of this module need no other import.
@_exported public import Aerie
