/** The index template that falcosidekick makes: a mapping for the fields of Falco's own rules. Pure. */
import type { Suffix } from './document.ts';

/** Output fields by their flattened names; the two of a test belong to falcosidekick's template as well. */
const FIELDS = `
container_info container_mounts container_start evt_arg_cmd evt_arg_fd evt_arg_filename evt_arg_flags
evt_arg_linkpath evt_arg_mode evt_arg_name evt_arg_newpath evt_arg_oldpath evt_arg_path evt_arg_target evt_arg_uid
evt_args evt_res evt_type fd_cip_name fd_lip_name fd_lport fd_name fd_nameraw fd_rip fd_rip_name fd_rport fd_sip
fd_sip_name fd_sport fd_type group_gid group_name jevt_obj jevt_value ka_auth_decision ka_auth_reason ka_req_binding
ka_req_configmap ka_req_pod ka_req_role ka_req_service ka_resp_name ka_response_code ka_response_reason ka_target_name
ka_target_namespace ka_target_resource ka_target_subresource ka_uri ka_uri_param ka_user_name ka_verb proc_aexepath
proc_aname proc_args proc_cmdline proc_cwd proc_env proc_exe proc_exepath proc_name proc_pcmdline proc_pexe
proc_pexepath proc_pname proc_sname proc_tty test_dash test_slash thread_cap user_loginname user_loginuid user_name
user_uid`;

/** For 0, which falcosidekick takes and no server does. */
const DEFAULT_SHARDS = 3;
const DATE = { type: 'date' };

function words(longest: number) {
  return { type: 'text', fields: { keyword: { type: 'keyword', ignore_above: longest } } };
}

/** The body of `PUT /_index_template/<name>`. */
export function toIndexTemplate(config: {
  index: string;
  suffix: Suffix;
  numberofshards: number;
  numberofreplicas: number;
}): object {
  const fields = FIELDS.trim()
    .split(/\s+/)
    .map(name => [name, words(256)]);
  return {
    index_patterns: [config.suffix === 'none' ? config.index : `${config.index}-*`],
    template: {
      settings: {
        number_of_shards: config.numberofshards || DEFAULT_SHARDS,
        number_of_replicas: config.numberofreplicas,
      },
      mappings: {
        properties: {
          '@timestamp': DATE,
          hostname: words(256),
          output: words(2048),
          output_fields: { properties: Object.fromEntries(fields) },
          priority: words(256),
          rule: words(256),
          source: words(256),
          tags: words(256),
          time: DATE,
          uuid: words(256),
        },
      },
    },
  };
}
